"""Reports about mail: those about mail that could not be delivered are written here, and whatever comes back is read.

A delivery status notification (DSN, RFC 3464) is a message of type multipart/report (RFC 6522) with three
parts. The first is for the person who sent the mail, in plain words. The second, message/delivery-status,
says the same for programs: a block of fields about the message, then a block for each recipient. The third
returns the header of the message, or all of it, so that its sender recognises it.

Two rules keep reports from breeding. A report has the null reverse-path, and mail with the null reverse-path
is never reported (RFC 5321 §4.5.5). And a report that cannot be delivered is kept, not reported.

What comes back was written by a stranger. `reading` takes any octets and says which kind of report they are, and what of whom, by way of
`parts`, which finds what is in a message within bounds. Where programs wrote for programs, `delivery_status` and `feedback_report` read it;
where there is only a `letter` for people, `shapes` knows it by what mail systems write, `weighing` finds whom it is about, and `automatic`
knows the answers of machines. `vocabulary` has the words for all of these, which are data (`shapes.toml`), and `phrases` finds them in a
text. What comes out are the values of `reported`.

`explain` holds what reply codes mean and what to do about them, `fields` the part for programs; `report` has the
part for the person, and puts all together. `classes` says what refusals mean in a word, ours and those of reports.
`return_token` is what the sender of mail that leaves has in it, so that a report of somebody else is known again.
"""
