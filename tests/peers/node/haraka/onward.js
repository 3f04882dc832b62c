// Takes everything for others, and brings it to ports of this machine: mail for the domain of the bounce address to its door, all else onward.
'use strict';
const { door, refuser } = JSON.parse(require('fs').readFileSync(process.env.PEER_SETTINGS));

exports.hook_connect = (next, connection) => {
  connection.relaying = true;
  next();
};

exports.hook_rcpt = (next) => next(OK);

exports.hook_get_mx = (next, _mail, domain) =>
  next(OK, { priority: 0, exchange: '127.0.0.1', port: domain === 'here.example' ? door : refuser });
