'use strict';

// What mailauth says of messages: for each file that standard input names, one line of JSON with the results of its
// signatures, from above. The keys are in the file that the first argument names: {"NAME": "RECORD", …}.

const fs = require('node:fs');
const readline = require('node:readline');
const { dkimVerify } = require('mailauth/lib/dkim/verify');

const records = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

async function resolver(name) {
    if (!(name in records)) {
        throw Object.assign(new Error(`queryTxt ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
    }
    return [[records[name]]];
}

async function main() {
    for await (const path of readline.createInterface({ input: process.stdin })) {
        const { results } = await dkimVerify(fs.readFileSync(path), { resolver });
        console.log(JSON.stringify(results.map(({ status }) => status.result)));
    }
}

main();
