// Drives a running server with the official Node client: node openai_node.mjs URL FOLDER
// FOLDER holds node_modules/openai. One line a check; the last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [url, folder] = process.argv.slice(2);
const require = createRequire(path.resolve(folder) + '/');
const OpenAI = require('openai').default;
const manifest = path.join(folder, 'node_modules', 'openai', 'package.json');
const version = JSON.parse(readFileSync(manifest, 'utf8')).version;

const client = new OpenAI({
  baseURL: `${url.replace(/\/+$/, '')}/v1`,
  apiKey: 'none',
  maxRetries: 0,
  timeout: 300000,
});
const model = (await client.models.list()).data[0].id;
const request = {
  model,
  messages: [{ role: 'user', content: 'Hello, please introduce yourself.' }],
  max_tokens: 64,
  temperature: 0,
};

async function whole() {
  const reply = await client.chat.completions.create(request);
  const { message, finish_reason } = reply.choices[0];
  return {
    reasoning: message.reasoning_content ?? '',
    content: message.content ?? '',
    finish: finish_reason,
  };
}

async function streamed(more = {}) {
  const answer = { reasoning: '', content: '', finish: null };
  const usages = [];
  const stream = await client.chat.completions.create({ ...request, stream: true, ...more });
  for await (const chunk of stream) {
    if (chunk.usage) usages.push(chunk.usage);
    for (const { delta, finish_reason } of chunk.choices) {
      answer.reasoning += delta.reasoning_content ?? '';
      answer.content += delta.content ?? '';
      answer.finish = finish_reason ?? answer.finish;
    }
  }
  return { answer, usages };
}

const checks = {
  async 'whole chat'() {
    const answer = await whole();
    assert.ok(answer.reasoning && !answer.reasoning.includes('</think>'), answer.reasoning);
    assert.ok(answer.content || answer.finish === 'length');
  },
  async 'streaming chat'() {
    const { answer, usages } = await streamed();
    assert.deepEqual(answer, await whole());
    assert.equal(usages.length, 0);
  },
  async 'usage with stream options'() {
    const { usages } = await streamed({ stream_options: { include_usage: true } });
    assert.equal(usages.length, 1);
    const { prompt_tokens, completion_tokens, total_tokens } = usages[0];
    assert.ok(prompt_tokens > 0 && completion_tokens > 0);
    assert.equal(total_tokens, prompt_tokens + completion_tokens);
  },
  async 'unknown model'() {
    await assert.rejects(
      client.chat.completions.create({ ...request, model: 'no-such-model' }),
      (error) => error instanceof OpenAI.NotFoundError && error.status === 404,
    );
  },
  async 'bad type'() {
    await assert.rejects(
      client.chat.completions.create({ ...request, max_tokens: 'many' }),
      (error) => error instanceof OpenAI.BadRequestError && error.message.includes('max_tokens'),
    );
  },
  async 'cancel in mid-stream'() {
    const before = await whole();
    const stream = await client.chat.completions.create({
      ...request,
      max_tokens: 1000,
      stream: true,
    });
    for await (const chunk of stream) {
      if (chunk.choices.length > 0) break; // leaving the loop aborts the request
    }
    assert.deepEqual(await whole(), before);
  },
  async 'eight streams at once'() {
    const { answer } = await streamed();
    const together = await Promise.all(Array.from({ length: 8 }, () => streamed()));
    for (const one of together) assert.deepEqual(one.answer, answer);
  },
};

let passed = 0;
let failed = 0;
for (const [title, check] of Object.entries(checks)) {
  const line = `openai ${version} for Node: ${title}`;
  try {
    await check();
    passed += 1;
    console.log(`ok   ${line}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${line}: ${error.message.split('\n').slice(0, 12).join(' ')}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
