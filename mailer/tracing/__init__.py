"""Traces of deliveries, for a collector that speaks OTLP: what each attempt was made of, and how long each step took. [002] §9.1

Nothing is traced while mail is on its way. A session notes its steps in any case (`mailer.transport.transcript`), and when the attempt
is over, a thread makes spans of that. Failed and slow ones are always chosen, of the others a sample; all attempts of one message are one
trace, whether they are sampled depends on its ID alone. Names are those of [002], attributes also those of OpenTelemetry's semantic
conventions. No address is in them, but for domains, and no text that a host said.

============  ==========================================================================================
`choice`      which attempts are traced
`spans`       the spans of an attempt, as values
`otlp`        spans as OpenTelemetry has them, and who takes them to the collector
`tracer`      the listener, and the thread that sends
`component`   what the configuration says of it
============  ==========================================================================================

The libraries are imported by `otlp` alone, in that thread. A collector that is down, slow or silent costs nothing: what it does not take is
dropped, counted (``mailer_traces_total``), and told once.
"""
