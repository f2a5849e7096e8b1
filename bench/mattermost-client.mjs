// The least bot on @mattermost/client with its own settings: answers "!count" in the channel named by MATTERMOST_CHANNEL.
import WS from 'ws';
import mattermost from '@mattermost/client';

const { Client4, WebSocketClient } = mattermost;

console.log = () => {};
globalThis.WebSocket = WS;
globalThis.CloseEvent ??= class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    Object.assign(this, init);
  }
};

const { MATTERMOST_URL: url, MATTERMOST_TOKEN: token, MATTERMOST_CHANNEL: channel } = process.env;
const client = new Client4();
client.setUrl(url);
client.setToken(token);
const me = await client.getMe();
const socket = new WebSocketClient({
  newWebSocketFn: (address) => new WS(address, { headers: { Authorization: `Bearer ${token}` } }),
});
socket.addMissedMessageListener(() => {});
socket.addMessageListener((message) => {
  if (message.event !== 'posted' || message.broadcast.channel_id !== channel) return;
  const post = JSON.parse(message.data.post);
  if (post.user_id === me.id || post.message !== '!count') return;
  client.createPost({ channel_id: channel, message: 'one', root_id: post.id });
});
socket.initialize(`${url.replace('http', 'ws')}/api/v4/websocket`, token);
