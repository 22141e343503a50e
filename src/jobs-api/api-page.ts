import { PAGE_SCRIPT } from './page-script.ts';

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>krake-hooks: job-done webhooks</title>
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<header>
<h1>Job-done webhooks</h1>
<p id="about"></p>
<label>Service account token (stays in this page) <input id="token" type="password" autocomplete="off"></label>
<label>Namespace <input id="namespace" placeholder="your own"></label>
</header>
<main id="operations"></main>
<footer><a href="/openapi.json">openapi.json</a></footer>
<script src="/docs/page.js"></script>
</body>
</html>
`;

const STYLE = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
label { display: block; margin: .4rem 0 }
input, textarea { font: 14px ui-monospace, monospace; width: 100%; box-sizing: border-box; padding: .3rem; color: inherit; background: transparent; border: 1px solid #888; border-radius: 3px }
textarea { min-height: 8rem }
details { border: 1px solid #bbb; border-radius: 4px; margin: .6rem 0; padding: .4rem .8rem }
summary { cursor: pointer; font-weight: 600 }
summary code { margin-right: .6rem }
pre { background: #8881; padding: .6rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere }
button { font: inherit; padding: .3rem 1rem; margin: .4rem 0 }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616 } a { color: #8cf } }
`;

/** A small page for the OpenAPI document: what there is, and a form to try each operation. Needs nothing from elsewhere. By path. */
export const API_PAGE = {
  '/docs': { type: 'text/html; charset=utf-8', text: HTML },
  '/docs/page.js': { type: 'text/javascript; charset=utf-8', text: PAGE_SCRIPT },
  '/docs/page.css': { type: 'text/css; charset=utf-8', text: STYLE },
} as const;
