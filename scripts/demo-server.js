// Stands for a model server: says what it was given, and reads a weight the way huggingface_hub finds one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const names = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'TRANSFORMERS_CACHE', 'TORCH_HOME'];
for (const name of names) console.log(`${name}=${process.env[name]}`);

const repo = join(process.env.HF_HUB_CACHE, 'models--SWivid--F5-TTS');
const commit = readFileSync(join(repo, 'refs', 'main'), 'utf8');
const weight = join(repo, 'snapshots', commit, 'F5TTS_v1_Base', 'model_1250000.safetensors');
console.log(`the server read ${readFileSync(weight).length} bytes of ${weight}`);
