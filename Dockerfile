# Owns the images: `service`, which is every service, the migrations and the inspector, by its first argument; `edge`,
# Caddy with the library of web/; `nats`, the official one with a folder that it may write to. None of them runs as
# root, none needs to write to its own file system. `docker compose` builds all three.

FROM python:3.11.17-slim AS build
WORKDIR /tandem
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# Before the code: as long as the lock is the same, this layer is.
COPY requirements/runtime.txt requirements/runtime.txt
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt
COPY chassis chassis
COPY contracts contracts
COPY connection_service connection_service
COPY inbox_service inbox_service
COPY push_gateway push_gateway
COPY bus_inspector bus_inspector
COPY mirror mirror
COPY deploy/make_secrets.py deploy/make_secrets.py
# Compiled here, because nothing can be written later; and what the gateway has in C, because it has a compiler here.
RUN python -m push_gateway.native && ls push_gateway/native/_arrivals.*.so && python -m compileall -q .

FROM caddy:2.11.7-alpine AS edge
# A new volume has the owner that its folder has in the image.
RUN mkdir -p /data/caddy /config/caddy && chown -R 1000:1000 /data /config
COPY web /srv/web
COPY LICENSE /srv/web/LICENSE
COPY deploy/edge/Caddyfile /etc/caddy/Caddyfile
USER 1000:1000

FROM nats:2.15.1-alpine AS nats
RUN mkdir -p /data && chown 1000:1000 /data
USER 1000:1000

# The last one, and so what `docker build .` makes.
FROM python:3.11.17-slim AS service
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin tandem
WORKDIR /tandem
COPY --from=build /venv /venv
COPY --from=build /tandem /tandem
COPY LICENSE LICENSE
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0
USER 10001:10001
# Which port is asked depends on the service: compose and Kubernetes say so, with `python -m chassis.probe URL`.
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m"]
CMD ["connection_service"]
