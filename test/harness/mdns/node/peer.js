// SPDX-License-Identifier: Apache-2.0
// npm's multicast-dns and bonjour-service as an mDNS peer, of the network namespace that this is started in, with
// the IPv4 address ADDRESS; IPv4 only. It obeys lines on standard input and answers each by one on standard output,
// `answer JSON`:
//
//   addresses NAME       asks for A and AAAA of it, for 2.5 s at most: ["10.0.0.5", …]
//   known NAME           the addresses of it that were heard and not taken back, without asking
//   services             what bonjour-service has found: [{"name" "host" "port" "txt" "addresses"}]
//   quiet MS             answers once nobody has said anything for so long: true
//   published            which of its services are published: ["Name", …]
//
// usage: node peer.js MODULES ADDRESS NAME TYPE [TYPE PORT INSTANCE]…    TYPE, as http, is what it looks for; -: nothing
// MODULES is the folder node_modules; it publishes the services, on the host NAME.local. It says `ready` first.
'use strict'
const path = require('path')
const readline = require('readline')
const [modules, address, host, wanted, ...offers] = process.argv.slice(2)
const load = name => require(path.join(modules, name))
const where = { interface: address, bind: '0.0.0.0' }

const mdns = load('multicast-dns')(where)
const { Bonjour } = load('bonjour-service')
const bonjour = new Bonjour(where, error => console.log('error ' + error))

// It hears nothing that comes before the word that its query has gone out; between two namespaces of one machine an
// answer does. So each takes 5 ms, as on a LAN.
const heard = bonjour.server.mdns
const emit = heard.emit.bind(heard)
heard.emit = (what, ...rest) => (what === 'response' ? setTimeout(() => emit(what, ...rest), 5) && true : emit(what, ...rest))

let lastHeard = Date.now()
mdns.on('response', () => { lastHeard = Date.now() })
function quiet (ms) {
  const left = lastHeard + ms - Date.now()
  if (left <= 0) answer(true)
  else setTimeout(() => quiet(ms), left)
}

const known = new Map() // name -> Set of addresses
mdns.on('response', ({ answers, additionals }) => {
  for (const { name, type, ttl, data } of answers.concat(additionals)) {
    if (type !== 'A' && type !== 'AAAA') continue
    const of = known.get(name.toLowerCase()) || new Set()
    known.set(name.toLowerCase(), of)
    if (ttl > 0) of.add(data)
    else of.delete(data)
  }
})
const addresses = name => [...(known.get(name.toLowerCase()) || [])].sort()
const answer = value => console.log('answer ' + JSON.stringify(value))

function ask (name, tries) {
  known.delete(name.toLowerCase())
  const heard = ({ answers }) => {
    if (answers.some(a => a.name.toLowerCase() === name.toLowerCase() && (a.type === 'A' || a.type === 'AAAA'))) {
      clearTimeout(timer)
      mdns.removeListener('response', heard)
      setTimeout(() => answer(addresses(name)), 150) // the other type may come by itself
    }
  }
  const again = () => {
    mdns.removeListener('response', heard)
    if (tries > 1) ask(name, tries - 1)
    else answer([])
  }
  const timer = setTimeout(again, 1200)
  mdns.on('response', heard)
  mdns.query({ questions: ['A', 'AAAA'].map(type => ({ name, type })) })
}

const browser = wanted === '-' ? { update () {}, services: [] } : bonjour.find({ type: wanted })
const services = []
for (let i = 0; i + 2 < offers.length; i += 3) {
  services.push(bonjour.publish({ type: offers[i], port: +offers[i + 1], name: offers[i + 2], host: host + '.local' }))
}

const commands = {
  addresses: name => ask(name, 2),
  quiet: ms => quiet(+ms),
  known: name => answer(addresses(name)),
  services: () => {
    browser.update()
    answer(browser.services.map(s => ({ name: s.name, host: s.host, port: s.port, txt: s.txt, addresses: s.addresses })))
  },
  published: () => answer(services.filter(s => s.published).map(s => s.name))
}
readline.createInterface({ input: process.stdin })
  .on('line', line => {
    const [word, ...rest] = line.split(' ')
    commands[word](rest.join(' '))
  })
  .on('close', () => bonjour.unpublishAll(() => process.exit(0)))
mdns.on('ready', () => console.log('ready'))
