"""Alarms: trouble that a person has to know of, told once when it begins and once when it ends, however much mail meets it.

Whoever meets trouble tells an `mailer.events.Alarm` each time, and `Mended` whenever he sees that it is not there: nobody has to
remember what he said. `book` remembers, for all of them: which alarms are open, since when, how often they were met. What it makes of that,
`AlarmBegun` and `AlarmOver`, is what log, metrics, status and people are told. `kinds` has what is the same for all alarms of a kind,
`component` is the book as a part of the daemon,
and `beside` has the daemon's book know what other processes have met.
"""
