// The inbox of a frontend for Django Channels, as it was; only the connection line is another one.
import { createRoot } from "react-dom/client";
import { StrictMode, useEffect, useState } from "react";
import { createRealtime } from "/web/realtime.js";

const { push, getToken, inboxApi } = window.page;

const djangoRealtimeService = createRealtime({ url: push, getToken }); // was: new DjangoRealtimeService(url, token)

function transformInboxItem(data) {
  return {
    id: data.id.toString(),
    title: data.title,
    content: data.body,
    isRead: data.is_read,
    createdAt: data.created_at,
  };
}

function App() {
  const [inboxItems, setInboxItems] = useState([]);
  const [answers, setAnswers] = useState([]);

  useEffect(() => {
    inboxApi.list().then((items) => setInboxItems(items.map(transformInboxItem)));

    // Listen for new inbox items
    djangoRealtimeService.on("inbox:created", (data) => {
      const transformed = transformInboxItem(data);
      setInboxItems((prev) => {
        const exists = prev.some((item) => item.id === transformed.id);
        if (exists) return prev;
        return [transformed, ...prev];
      });
    });

    // Listen for inbox item updates (e.g., mark as read)
    djangoRealtimeService.on("inbox:updated", (data) => {
      const transformed = transformInboxItem(data);
      setInboxItems((prev) => prev.map((item) => (item.id === transformed.id ? transformed : item)));
    });

    // Listen for inbox item deletions
    djangoRealtimeService.on("inbox:deleted", (data) => {
      const itemId = typeof data.id === "number" ? data.id.toString() : data.id;
      setInboxItems((prev) => prev.filter((item) => item.id !== itemId));
    });

    djangoRealtimeService.on("connection_answer:created", (data) => {
      setAnswers((prev) => {
        const exists = prev.some((answer) => answer.id === data.answer.id);
        if (exists) return prev;
        return [...prev, data.answer];
      });
    });
  }, []);

  return (
    <main>
      <ul aria-label="Inbox">
        {inboxItems.map((item) => (
          <li key={item.id} className={item.isRead ? "read" : "unread"}>
            {item.title} <button onClick={() => inboxApi.markAsRead(item.id)}>Mark as Read</button>
          </li>
        ))}
      </ul>
      <ul aria-label="Answers">
        {answers.map((answer) => (
          <li key={answer.id}>{answer.text}</li>
        ))}
      </ul>
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
