// A bot on discord.js, as its users write them: answers "!status echo" with a reply. Used to prove the fake Discord.
import { Client, GatewayIntentBits, Partials } from 'discord.js';

const intents = [
  GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.GuildMessageReactions,
  GatewayIntentBits.DirectMessages, GatewayIntentBits.DirectMessageReactions, GatewayIntentBits.MessageContent,
];
const client = new Client({
  intents, partials: [Partials.Channel], enforceNonce: true, allowedMentions: { parse: [], repliedUser: false },
  rest: { api: process.env.DISCORD_API }, ws: { version: 10 },
});
client.on('clientReady', () => console.log(JSON.stringify({ event: 'ready', user: client.user.id })));
client.on('error', (error) => console.log(JSON.stringify({ event: 'error', text: String(error) })));
client.on('messageCreate', async (message) => {
  if (message.author.bot || message.webhookId) return;
  console.log(JSON.stringify({ event: 'message', id: message.id, content: message.content }));
  if (message.content.startsWith('!status')) {
    const reply = await message.reply({ content: `echo: running (${message.id})` });
    console.log(JSON.stringify({ event: 'replied', id: reply.id, nonce: reply.nonce }));
  }
});
client.on('interactionCreate', async (interaction) => {
  await interaction.deferReply();
  await interaction.editReply('done');
  await interaction.followUp('and more');
  console.log(JSON.stringify({ event: 'interaction', id: interaction.id }));
});
client.login(process.env.DISCORD_TOKEN).catch((error) => {
  console.log(JSON.stringify({ event: 'refused', text: String(error) }));
  process.exit(3);
});
process.stdin.on('end', () => { client.destroy().finally(() => process.exit(0)); }).resume();
