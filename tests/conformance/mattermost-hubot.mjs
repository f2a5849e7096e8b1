// A bot on mattermost-client, the library under hubot: it authenticates by the first message of the socket.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const MatterMostClient = require('mattermost-client');
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const port = Number(new URL(process.env.MATTERMOST_URL).port);
const quiet = Object.fromEntries(['debug', 'info', 'notice', 'warning', 'error'].map((name) => [name, () => {}]));
const client = new MatterMostClient('localhost', 'ops', { wssPort: port, httpPort: port, pingInterval: 500, logger: quiet });
client.on('error', (error) => say('error', { text: String(error?.id ?? error?.error ?? error) }));
client.on('hello', (message) => say('hello', { id: message.data.connection_id }));
client.on('ping', () => say('pong'));
client.on('message', (message) => {
  const post = JSON.parse(message.data.post);
  if (post.user_id === client.self.id) return;
  say('message', { id: post.id, text: post.message });
  if (post.message.startsWith('!status')) {
    client.customMessage({ message: `echo: running (${post.id})`, root_id: post.root_id || post.id }, post.channel_id);
  }
});
client.tokenLogin(process.env.MATTERMOST_TOKEN);
process.stdin.on('end', () => process.exit(0)).resume();
