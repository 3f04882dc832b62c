'use strict'
// smtp-server, once for each port that the settings name: open ones, and one for each mechanism of AUTH.

const fs = require('node:fs')
const { SMTPServer } = require('smtp-server')
const { keep, refusal, settings } = require('./keep')

const chain = fs.readFileSync(settings.chain)
const user = (address) => address.address.split('@')[0]

function onAuth(auth, session, callback) {
    const known = auth.username === settings.username
    const right = auth.method === 'XOAUTH2' ? auth.accessToken === settings.token
        : auth.method === 'CRAM-MD5' ? auth.validatePassword(settings.password)
        : auth.password === settings.password
    if (known && right) return callback(null, { user: auth.username })
    if (auth.method === 'XOAUTH2') return callback(null, { data: { status: '401', schemes: 'bearer', scope: 'mail' } })
    callback(new Error('Authentication credentials invalid'))
}

function onRcptTo(address, session, callback) {
    const refused = refusal(user(address))
    if (!refused) return callback()
    callback(Object.assign(new Error(refused.text), { responseCode: refused.code }))
}

function onData(stream, session, callback) {
    const above = `X-Envelope: ${JSON.stringify(session.envelope)}\r\n`
    keep(session.envelope.rcptTo.map(user), stream, callback, above)
}

const common = {
    name: 'smtp-server.example',
    key: chain,
    cert: chain,
    size: 50 << 20,
    disableReverseLookup: true,
    hideDSN: false,
    hideENHANCEDSTATUSCODES: false,
    hideREQUIRETLS: false,
    onAuth,
    onRcptTo,
    onData,
}
const open = { ...common, authOptional: true, disabledCommands: ['AUTH'] }
const kinds = { plain: open, implicit: { ...open, secure: true }, lmtp: { ...open, lmtp: true } }

for (const [door, port] of Object.entries(settings.ports)) {
    const server = new SMTPServer(kinds[door] || { ...common, authMethods: [door] })
    server.on('error', (error) => console.error(`${door}: ${error.message}`)) // a client left; without a listener it would end us
    server.listen(port, '127.0.0.1')
}
