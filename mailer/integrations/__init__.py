"""Where other people's frameworks meet the queue: each is one class or fixture on top of `mailer.postbox`, and imports what it is for.

===========  ===================================================================
`django`     ``EMAIL_BACKEND = "mailer.integrations.django.EmailBackend"``
`logging`    `MailHandler`: records by mail, a storm of equal ones as one
`pytest`     the fixture `mailer_sink`: what a program under test has sent
===========  ===================================================================

Nothing of these packages is needed by `mailer` itself. Flask and FastAPI need no piece of ours: `mailer-library(3)` has the recipes.
"""
