// serve.cjs DIRECTORY CERTIFICATE KEY: Azurite's blob service on loopback; says where it listens, and ends with its input.
// The account and its key: AZURITE_ACCOUNTS=account:key.
const [directory, certificate, key] = process.argv.splice(2);
process.stdin.on('end', () => process.exit(0)).resume();
process.argv.push('--location', directory, '--blobHost', '127.0.0.1', '--blobPort', '0', '--cert', certificate, '--key', key, '--disableTelemetry', '--skipApiVersionCheck');
require('azurite/dist/src/blob/main.js');
