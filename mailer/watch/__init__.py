"""Watch: a person is told of alarms, and what no mail meets is looked after.

Nothing here is on the way of mail: it runs beside the queue, waits for whom it asks, and has a limit of time for each. What goes wrong with
it is a line in the log and tried again; it is never an alarm, for an alarm about alarms would have to be told by what has just failed.

| `messenger` | who is told of what, and when |
| `notice` | what is told of one alarm |
| `letter` | the mail about alarms, and how it gets there without the queue |
| `program` | the command that is started |
| `refusals` | how much is refused for good |
| `lookout` | what is looked after: the age of what waits, and once a day what others see of this machine |
"""
