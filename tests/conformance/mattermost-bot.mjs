// A bot on @mattermost/client, the library of Mattermost's own web client: answers "!status echo" in its thread. Used to
// prove the fake Mattermost. Its time settings are made short, nothing else is changed.
import WS from 'ws';
import mattermost from '@mattermost/client';

const { Client4, WebSocketClient } = mattermost;

const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
console.warn = () => {};
globalThis.WebSocket = WS;
globalThis.CloseEvent ??= class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    Object.assign(this, init);
  }
};

const url = process.env.MATTERMOST_URL;
const token = process.env.MATTERMOST_TOKEN;
const client = new Client4();
client.setUrl(url);
client.setToken(token);

const tell = async (name, call) => {
  try {
    const value = await call();
    say(name, { value });
    return value;
  } catch (error) {
    say('error', { call: name, status: error.status_code ?? null, id: error.server_error_id ?? null, text: String(error) });
    return null;
  }
};

const me = await tell('me', () => client.getMe());
if (me === null) process.exit(3);
await tell('config', () => client.getClientConfig());
await tell('channel', () => client.getChannelByNameAndTeamName('ops', 'deploys'));

const socket = new WebSocketClient({
  minWebSocketRetryTime: 100, reconnectJitterRange: 50, maxWebSocketRetryTime: 1000, clientPingInterval: 700,
  newWebSocketFn: (address) => new WS(address, { headers: { Authorization: `Bearer ${token}` } }),
});
socket.addFirstConnectListener(() => say('connected'));
socket.addReconnectListener(() => say('reconnected'));
socket.addMissedMessageListener(() => say('missed'));
socket.addMessageListener(async (message) => {
  if (message.event === 'hello') {
    say('hello', { id: message.data.connection_id });
    socket.sendMessage('ping', {}, (reply) => say('pong', { status: reply.status, error: reply.error ?? null }));
  }
  if (message.event === 'reaction_added') say('reaction', JSON.parse(message.data.reaction));
  if (message.event !== 'posted') return;
  const post = JSON.parse(message.data.post);
  if (post.user_id === me.id || post.props?.from_webhook || post.type) return;
  say('message', { id: post.id, text: post.message, mentions: JSON.parse(message.data.mentions ?? '[]') });
  if (post.message.startsWith('!status')) {
    await tell('replied', () => client.createPost({
      channel_id: post.channel_id, root_id: post.root_id || post.id, message: `echo: running (${post.id})`,
      pending_post_id: `${me.id}:${post.id}`, props: {},
    }));
  }
});
socket.initialize(url.replace(/^http/, 'ws') + '/api/v4/websocket', '', false);

// The test asks for a call by a line: {"call": "createPost", "arguments": [...]}.
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', async (text) => {
  rest += text;
  for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
    const { call, args } = JSON.parse(rest.slice(0, end));
    rest = rest.slice(end + 1);
    if (call === 'ping') socket.sendMessage('ping', {}, (reply) => say('pong', { status: reply.status, error: reply.error ?? null }));
    else await tell(call, () => client[call](...args));
  }
});
process.stdin.on('end', () => { socket.close(); process.exit(0); });
