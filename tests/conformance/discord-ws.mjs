// The gateway client of discord.js alone, with zlib-stream compression: tells every event of its session.
import { CompressionMethod, WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';

const api = process.env.DISCORD_API;
const rest = {
  get: async (route) => {
    const answer = await fetch(`${api}/v10${route}`, {
      headers: { Authorization: `Bot ${process.env.DISCORD_TOKEN}`, 'User-Agent': 'DiscordBot (https://discord.js.org, 14)' },
    });
    if (!answer.ok) throw new Error(`${route}: ${answer.status}`);
    return answer.json();
  },
};
const tell = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));
const manager = new WebSocketManager({
  token: process.env.DISCORD_TOKEN, intents: 46593, rest, shardCount: 1,
  compression: CompressionMethod.ZlibNative,
});
manager.on(WebSocketShardEvents.Ready, () => tell('ready'));
manager.on(WebSocketShardEvents.Resumed, () => tell('resumed'));
manager.on(WebSocketShardEvents.Closed, (code) => tell('closed', { code: Number(code?.code ?? code) }));
manager.on(WebSocketShardEvents.Error, (error) => tell('error', { text: String(error?.error ?? error) }));
manager.on(WebSocketShardEvents.Dispatch, (payload) => {
  const data = payload?.data ?? payload;
  tell('dispatch', { type: data.t, id: data.d?.id, content: data.d?.content });
});
manager.connect().then(() => tell('connected'), (error) => { tell('refused', { text: String(error) }); });
process.stdin.on('end', () => process.exit(0)).resume();
