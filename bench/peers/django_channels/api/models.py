"""Owns the tables."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models


class Partnership(models.Model):
    """Two people who are connected."""

    first = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def partner_of(self, user: AbstractBaseUser) -> AbstractBaseUser:
        """The other one of the two."""
        return self.second if self.first_id == user.pk else self.first


class DailyConnection(models.Model):
    """One day's question of one partnership."""

    partnership = models.ForeignKey(Partnership, models.CASCADE, related_name="connections")
    date = models.DateField()
    question = models.TextField()

    class Meta:
        """One a day."""

        constraints = [models.UniqueConstraint(fields=["partnership", "date"], name="one_question_a_day")]


class DailyConnectionAnswer(models.Model):
    """What one of the two answered."""

    connection = models.ForeignKey(DailyConnection, models.CASCADE, related_name="answers")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One each."""

        constraints = [models.UniqueConstraint(fields=["connection", "author"], name="one_answer_each")]


class InboxItem(models.Model):
    """One entry of one person's inbox."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="inbox_items")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    is_read = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        """The newest first, found by an index."""

        ordering = ("-id",)
        indexes = [models.Index(fields=["recipient", "-id"], name="inbox_of_recipient")]
