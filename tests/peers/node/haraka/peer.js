'use strict'
// The one plugin of our own: who has a mailbox, which mechanism of AUTH there is at which port, where mail is kept.

const { keep, refusal, settings } = require(`${process.env.PEER_LIBRARY}/keep`)

const doors = new Map(Object.entries(settings.ports).map(([door, port]) => [port, door]))
const mechanism = (connection) => {
    const door = doors.get(connection.local.port)
    return ['plain', 'implicit'].includes(door) ? null : door
}

exports.register = function () {
    this.inherits('auth/auth_base')
}

// Nobody is asked for the name of 127.0.0.1.
exports.hook_lookup_rdns = (next) => next(OK, 'localhost')

exports.hook_capabilities = function (next, connection) {
    const name = mechanism(connection)
    if (name && connection.tls.enabled) {
        connection.capabilities.push(`AUTH ${name}`)
        connection.notes.allowed_auth_methods = [name]
    }
    next()
}

exports.get_plain_passwd = function (user, connection, callback) {
    callback(user === settings.username ? settings.password : null)
}

exports.hook_mail = function (next, connection) {
    if (mechanism(connection) && !connection.notes.auth_user) return next(DENY, '5.7.0 Authentication required')
    next(OK)
}

exports.hook_rcpt = function (next, connection, params) {
    const refused = refusal(params[0].user)
    if (!refused) return next(OK)
    next(refused.code < 500 ? DENYSOFT : DENY, refused.text)
}

// What a user sends who has authenticated would otherwise be delivered to the world.
exports.hook_queue = exports.hook_queue_outbound = function (next, connection) {
    const { rcpt_to, message_stream } = connection.transaction
    keep(rcpt_to.map((address) => address.user), message_stream, (error) => (error ? next(DENYSOFT, error.message) : next(OK)))
}
