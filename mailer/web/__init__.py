"""The door for programs that speak HTTP (RFC 9110, RFC 9112), in a process of its own: the API, and pages.

Starlette is the application and uvicorn runs it, on the accept loop of the house. What both lack is here: a reader of the octets that is
stricter than that of uvicorn and stands in its place, limits of octets, of time and of connections, and an end that no client misses.

The promise: what is answered with 202 is in the spool, on the disk. A client that did not hear the answer asks again with the same request
id, and no second message comes of it.

=============== ================================================================================================
`process`       ``mailer web``: the process, its signals, its reload
`server`        the doors: sockets, TLS, places, and the end
`conversation`  one connection: uvicorn's protocol, with deadlines, and answers that are seen
`exchange`      one request and its answer
`framing`       where each request begins and ends, and what is refused before anybody reads it
`app`           the application: what stands around each request
`routes`        the way from a request to its endpoint, and the answer to what that raises
`asked`         one request, as the log has it
`table`         the endpoints, from which the routes and the OpenAPI document are made
`endpoint`      an endpoint as a value
`schemas`       what the API takes and gives, as JSON Schema
`openapi`       the OpenAPI document
`manual`        what mailer-api(7) says of endpoints, refusals and limits
`gate`          who asks, by the key of a request, and whether it may do that
`answer`        the JSON of answers, and what each kind of trouble is in HTTP
`send`          handing mail in
`look`          what became of it
`act`           cancelling and replaying it
`suppressions`  who is not to be mailed
`unsubscribe`   the page with which one recipient leaves a stream
`stream`        events, a page of them or as they happen
`bell`          which wakes streams when there is something new
`page`          the page ``/``, for a person
`desk`          what the endpoints have at hand: configuration, threads, figures
`room`          how much of bodies is in memory at a time
`health`        GET /health and /ready
`finding`       where programs of users ask for the doors of this machine
`figures`       what is counted, for Prometheus
=============== ================================================================================================

It needs the extra ``web``.
"""
