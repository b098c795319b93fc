"""What people read: templates, the story of an alert, mails, Slack messages."""
