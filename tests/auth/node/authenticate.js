'use strict';

// What mailauth says of messages: for each line of standard input, {"path", "ip", "helo", "sender"}, one line of JSON with
// what SPF, DKIM, ARC and DMARC make of it. The DNS is in the file that the first argument names: {"NAME TYPE": [RECORD, …]}.

const fs = require('node:fs');
const readline = require('node:readline');
const { dkimVerify } = require('mailauth/lib/dkim/verify');
const { spf: spfVerify } = require('mailauth/lib/spf');
const { arc: arcVerify } = require('mailauth/lib/arc');
const { evaluateDmarc } = require('mailauth/lib/dmarc');

const records = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

async function resolver(name, type) {
    const found = records[`${name.toLowerCase().replace(/\.$/, '')} ${type}`];
    if (!found || !found.length) {
        throw Object.assign(new Error(`${name} ENOTFOUND`), { code: 'ENOTFOUND' });
    }
    return type === 'TXT' ? found.map(text => [text]) : found;
}

async function judged({ path, ip, helo, sender }) {
    const dkim = await dkimVerify(fs.readFileSync(path), { resolver, sender });
    const spf = await spfVerify({ ip, helo, sender, mta: 'mx.test', resolver });
    const arc = await arcVerify(dkim.arc, { resolver, ip });
    const { response } = await evaluateDmarc({
        headerFrom: dkim.headerFrom,
        fromFields: dkim.fromFields,
        spfDomains: spf.status.result === 'pass' ? [spf.domain] : [],
        dkimDomains: dkim.results
            .filter(({ status }) => status.result === 'pass')
            .map(({ id, signingDomain, status }) => ({ id, domain: signingDomain, aligned: status.aligned, underSized: status.underSized })),
        arcResult: arc,
        resolver
    });
    return {
        spf: spf.status.result,
        dkim: dkim.results.map(({ status }) => status.result),
        arc: arc.status.result,
        dmarc: response ? response.status.result : 'none'
    };
}

async function main() {
    for await (const line of readline.createInterface({ input: process.stdin })) {
        console.log(JSON.stringify(await judged(JSON.parse(line))));
    }
}

main();
