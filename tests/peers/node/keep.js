'use strict'
// What both servers do with mail: look whether there is such a mailbox, and keep each message in the Maildir of
// everybody who gets it, line ends and all. The settings are those of `npmservers.py`.

const fs = require('node:fs')
const path = require('node:path')

const settings = JSON.parse(fs.readFileSync(process.env.PEER_SETTINGS))
let count = 0

/** The answer to RCPT: null, or a refusal. */
function refusal(user) {
    if (user.startsWith('later')) return { code: 451, text: '4.7.1 Come back later' }
    if (!settings.readers.includes(user)) return { code: 550, text: '5.1.1 User unknown' }
    return null
}

/** Store the message for each of `users`, below the fields `above`; calls back when it is there. */
function keep(users, stream, done, above = '') {
    const name = `${process.pid}.${++count}`
    const file = path.join(settings.scratch, name)
    const out = fs.createWriteStream(file)
    out.write(above)
    stream.pipe(out).on('error', done).on('finish', () => {
        for (const user of users) {
            const box = path.join(settings.mail, user, 'new')
            fs.mkdirSync(box, { recursive: true })
            fs.linkSync(file, path.join(box, name))
        }
        fs.unlinkSync(file)
        done()
    })
}

module.exports = { keep, refusal, settings }
