// Uploads FILE to ENDPOINT by PROTOCOL, in requests of CHUNK bytes, or in one if that is 0. It prints
// "resume N" for each offset that the server tells, and "done".
import { createRequire } from 'node:module';
import { createReadStream } from 'node:fs';

const [file, endpoint, protocol, chunk, key] = process.argv.slice(2);
const tus = createRequire(process.cwd() + '/')('tus-js-client');
new tus.Upload(createReadStream(file), {
  endpoint,
  protocol,
  chunkSize: Number(chunk) || Infinity,
  metadata: key ? { key } : {},
  retryDelays: Array(100).fill(100),
  onAfterResponse(request, response) {
    if (request.getMethod() === 'HEAD') console.log('resume', response.getHeader('Upload-Offset'));
  },
  onSuccess: () => console.log('done'),
  onError(err) {
    console.error(err);
    process.exit(1);
  },
}).start();
