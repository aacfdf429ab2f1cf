#!/usr/bin/env node
// A certified OpenID provider for the tests, on loopback: device flow for people, client credentials for services, access tokens as JWTs
// (at+jwt) for one resource, refresh tokens, its own pages to log in. Prints its issuer once it listens; ends when its standard input does.
// POST /test/rotate makes it sign with another key.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const resource = 'urn:kpi:control';
const roles = { 'ann@acme.example': ['acme/*/publisher'], ci: ['acme/dev/author'] };

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() };
}

function provider(issuer) {
  return new Provider(issuer, {
    jwks: { keys: [key()] },
    clients: [
      { client_id: 'kpictl', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: [], response_types: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'] },
      { client_id: 'ci', client_secret: process.env.CI_SECRET, redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) => ({ kpi_roles: roles[token.accountId ?? token.clientId] ?? [] }),
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    features: {
      clientCredentials: { enabled: true }, deviceFlow: { enabled: true }, devInteractions: { enabled: true }, revocation: { enabled: true },
      resourceIndicators: {
        enabled: true, defaultResource: () => resource, useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'kpi', audience: resource, accessTokenTTL: 300, accessTokenFormat: 'jwt' }),
      },
    },
    cookies: { keys: [randomUUID()] },
  });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let handle = provider(issuer).callback();
  server.on('request', (request, response) => {
    if (request.url === '/test/rotate') {
      handle = provider(issuer).callback();
      response.end();
    } else {
      handle(request, response);
    }
  });
  console.log(`issuer ${issuer}`);
});
process.stdin.resume().on('end', () => process.exit(0));
