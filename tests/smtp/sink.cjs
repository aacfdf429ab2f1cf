// node sink.cjs KEY CERT: an SMTP server with STARTTLS and AUTH (u, p); its port first, then one JSON line a mail.
const { createRequire } = require('node:module');
const load = createRequire(process.cwd() + '/');
const { SMTPServer } = load('smtp-server');
const fs = require('node:fs');
const [key, cert] = process.argv.slice(2);
const server = new SMTPServer({
  key: fs.readFileSync(key), cert: fs.readFileSync(cert), authOptional: false,
  onAuth: (auth, session, done) => auth.username === 'u' && auth.password === 'p' ? done(null, { user: 'u' }) : done(new Error('bad credentials')),
  onRcptTo: (to, session, done) => to.address.startsWith('reject') ? done(Object.assign(new Error('no such user'), { responseCode: 550 })) : done(),
  onData: (stream, session, done) => {
    let raw = '';
    stream.on('data', d => raw += d);
    stream.on('end', () => {
      console.log(JSON.stringify({ user: session.user, tls: session.secure, from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map(r => r.address), raw }));
      done(null, 'queued');
    });
  },
});
server.listen(0, '127.0.0.1', () => console.log(server.server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
