"""mailer: takes mail, delivers it, and says what became of it.

The package has six floors; a room imports from lower floors and from itself only, and
``tests/test_floors.py`` holds that:

5 front   `cli` `service`                            choose concrete things and wire them together
4 doors   `sink`                                     listen, translate, call work
3 work    `submit` `delivery` `bounces`              what is done with mail
2 world   `clock` `durable` `config` `spool` `status` `net` `events`    each touches one thing outside
1 rules   `smtp` `dsn` `compose`                     standards as pure functions and state machines
0 words   `mail`                                     addresses, envelopes, outcomes

A message enters by `submit` only, lies in the `spool` until every recipient has a final outcome, leaves
by a courier of `delivery`, and everybody who wants to know is told by `events`.
"""

__version__ = "0.1.0"
