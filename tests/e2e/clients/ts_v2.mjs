// The TypeScript client (v2) as a user of WAMCP: it throws by itself when an answer breaks its output schema.
// usage: node ts_v2.mjs URL TOKEN auto|legacy     (run from a folder whose node_modules has @modelcontextprotocol/client)
import assert from 'node:assert/strict';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, token, mode] = process.argv.slice(2);
const client = new Client({ name: 'wamcp-acceptance', version: '1.0.0' }, { versionNegotiation: { mode } });
const requestInit = { headers: { Authorization: `Bearer ${token}` } };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
const report = { version: client.getNegotiatedProtocolVersion() };

async function call(name, args) {
  const answer = await client.callTool({ name, arguments: args });
  if (!answer.isError) assert.deepEqual(JSON.parse(answer.content[0].text), answer.structuredContent);
  return answer;
}

async function pages(name, args, idsOf) {
  const ids = [];
  let cursor = null;
  do {
    const { structuredContent, isError, content } = await call(name, { ...args, ...(cursor && { cursor }) });
    assert(!isError, content[0].text);
    ids.push(...idsOf(structuredContent));
    cursor = structuredContent.next_cursor;
  } while (cursor);
  assert.equal(new Set(ids).size, ids.length, `${name}: a row came twice`);
  return ids;
}

const rows = (answer) => Object.values(answer.days ?? {}).flat().map((row) => row[0]).concat((answer.messages ?? []).map((m) => m.id));

report.tools = (await client.listTools()).tools.map((tool) => tool.name).sort();
report.status = (await call('get_status', {})).structuredContent.messages;
report.conversations = await pages('list_conversations', { limit: 2 }, (answer) => answer.conversations.map((c) => c.id));
const thread = { conversation_id: 'c1' };
report.newest = await pages('get_messages', { ...thread, limit: 50 }, rows);
report.oldest = await pages('get_messages', { ...thread, limit: 37, order: 'oldest', response_format: 'detailed' }, rows);
assert.deepEqual(report.oldest, [...report.newest].reverse());
report.found = await pages('search_messages', { query: 'invoice', limit: 7 }, rows);
assert.deepEqual(report.found, await pages('search_messages', { query: 'invoice', limit: 3, response_format: 'detailed' }, rows));
report.documents = await pages('list_documents', { limit: 3 }, (answer) => answer.documents.map((d) => d.id));
report.pages = 0;
let cursor = null;
do {
  const { structuredContent } = await call('get_document', { document_id: report.documents[0], ...(cursor && { cursor }) });
  report.pages += structuredContent.pages.length;
  cursor = structuredContent.next_cursor;
} while (cursor);
report.templates = (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
report.resources = (await client.listResources()).resources.map((resource) => resource.uri);
const read = await client.readResource({ uri: 'wamcp://conversations/c1' });
report.resource = JSON.parse(read.contents[0].text).conversation.id;
const prompt = await client.getPrompt({ name: 'summarise_conversation', arguments: { conversation_id: 'c1', days: '3' } });
report.prompt = prompt.messages[0].content.text;
const ref = { type: 'ref/prompt', name: 'summarise_conversation' };
report.completion = (await client.complete({ ref, argument: { name: 'conversation_id', value: 'ada' } })).completion.values;
const refused = await call('get_messages', { conversation_id: 'zzz' });
assert(refused.isError);
report.refused = refused.content[0].text;
await client.readResource({ uri: 'wamcp://conversations/c999' }).then(
  () => assert.fail('an unknown conversation was read'),
  (error) => { report.unknown = error.code; },
);
console.log(JSON.stringify(report));
await client.close();
