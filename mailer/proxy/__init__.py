"""What is said to a proxy, and where one is: SOCKS5 (RFC 1928, with the login of RFC 1929), and CONNECT of HTTP (RFC 9110 §9.3.6).

The proxy looks the host's name up, so that a machine without a DNS for the world can send. It carries octets and sees no more than that:
TLS is made with the host through it, and the certificate has to bear the host's name as ever.

What is said is a generator: it yields what to say and how many octets to read then, 0 for a head of HTTP with its empty line, and is sent
what was read. `mailer.net.proxy` waits for the network.

===========  ==============================================
`place`      where a proxy is, and what one says no with
`socks5`     the dialog of SOCKS5
`tunnel`     that of CONNECT
===========  ==============================================
"""
