"""The forms in which models write one edit of `train.py`: DEPTH from 4 to 6. Each is taken, in the tests beside this."""

import html
import json

from tests.researchers.llm.talks import TRAIN

EDITED = TRAIN.replace("DEPTH = 4", "DEPTH = 6")
EDIT = {"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6"}
PROPOSAL = {"title": "DEPTH 4 → 6", "hypothesis": "Deeper.", "expected_gain": 0.01}
OLD, NEW = "DEPTH = 4  # layers", "DEPTH = 6  # layers"
BLOCK = "<<<<<<< SEARCH\nDEPTH = 4  # layers\n=======\nDEPTH = 6  # layers\n>>>>>>> REPLACE"
V4A = f"*** Begin Patch\n*** Update File: train.py\n@@\n-{OLD}\n+{NEW}\n*** End Patch"
HUNK = "@@ -1,3 +1,3 @@\n-DEPTH = 4  # layers\n+DEPTH = 6  # layers\n WIDTH = 64\n RATE = 0.02"


def call(key: str = "arguments", name: str = "edit_file", **given: object) -> str:
    return json.dumps({"name": name, key: given or EDIT})


TEXTS = {
    "under a file's name in a fence": f"I go deeper.\n\ntrain.py\n```python\n{BLOCK}\n```\n\nIt should help.",
    "with the name in the fence": f"```\ntrain.py\n{BLOCK}\n```",
    "with the name beside the fence": f"```python train.py\n{BLOCK}\n```",
    "with the name as a heading": f"### `train.py`\n\n```python\n{BLOCK}\n```",
    "with the name in bold": f"**File: ./train.py**\n```\n{BLOCK}\n```",
    "without a fence": f"train.py\n{BLOCK}\n",
    "without a name": f"I go deeper:\n\n```python\n{BLOCK}\n```",
    "with other marks": "------- SEARCH\nDEPTH = 4  # layers\n=======\nDEPTH = 6  # layers\n+++++++ REPLACE",
    "as the tool's block": f"```edit_file train.py\n{BLOCK}\n```",
    "as a block of a diff": f"```diff\n--- a/train.py\n+++ b/train.py\n{HUNK}\n```",
    "as a diff without a head": f"```diff\n{HUNK}\n```",
    "as a diff without a hunk's head": "```diff\n-DEPTH = 4  # layers\n+DEPTH = 6  # layers\n WIDTH = 64\n```",
    "as a diff whose numbers are wrong": "```diff\n" + HUNK.replace("-1,3 +1,3", "-81,9 +83,7") + "\n```",
    "as a diff whose context lost its blanks": f"```diff\n{HUNK}\n```".replace("\n WIDTH", "\nWIDTH"),
    "as a diff without a fence": f"Here it is.\n\n--- a/train.py\n+++ b/train.py\n{HUNK}\n\nIt should help.",
    "as git writes it": f"```diff\ndiff --git a/train.py b/train.py\nindex 1..2 100644\n--- a/train.py\n+++ b/train.py\n{HUNK}\n```",
    "as a V4A patch": V4A,
    "as a V4A patch for a shell": f"```bash\napply_patch <<'EOF'\n{V4A}\nEOF\n```",
    "with the line ends of Windows": f"train.py\n```python\n{BLOCK}\n```".replace("\n", "\r\n"),
    "as a V4A patch in a fence": "```\n*** Begin Patch\n*** Update File: /work/train.py\n@@ top\n-DEPTH = 4  # layers\n"
    "+DEPTH = 6  # layers\n WIDTH = 64\n*** End of File\n*** End Patch\n```",
    "as a whole file": f"The new train.py:\n\n```python\n{EDITED}```\n",
    "as a whole file under its name": f"train.py\n```python\n{EDITED}```",
    "as a whole file that names itself": f"```python\n# train.py\n{EDITED}```",
    "as a file to write": f"```write_file train.py\n{EDITED}```",
    # the dialects of servers without the right parser
    "Hermes": f"<tool_call>\n{call()}\n</tool_call>",
    "Hermes without an end": f"<tool_call>\n{call()}",
    "Qwen coder": "<tool_call>\n<function=edit_file>\n<parameter=path>\ntrain.py\n</parameter>\n<parameter=search>\nDEPTH = 4"
    "\n</parameter>\n<parameter=replace>\nDEPTH = 6\n</parameter>\n</function>\n</tool_call>",
    "Llama 3": f"<|python_tag|>{call('parameters')}",
    "Llama 3.1": f"<function=edit_file>{json.dumps(EDIT)}</function>",
    "Llama 4": '<|python_start|>\n[edit_file(path="train.py", search="DEPTH = 4", replace="DEPTH = 6")]<|python_end|>',
    "Mistral": f"[TOOL_CALLS] [{call()}]",
    "newer Mistral": f"[TOOL_CALLS]edit_file[ARGS]{json.dumps(EDIT)}",
    "Mistral with an id": f"[TOOL_CALLS]edit_file[CALL_ID]a1b2c3d4e[ARGS]{json.dumps(EDIT)}",
    "DeepSeek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>edit_file\n```json\n"
    f"{json.dumps(EDIT)}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "newer DeepSeek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>edit_file<｜tool▁sep｜>"
    f"{json.dumps(EDIT)}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "DeepSeek's markup": '<｜DSML｜function_calls>\n<｜DSML｜invoke name="edit_file">\n<｜DSML｜parameter name="path" string="true">'
    'train.py</｜DSML｜parameter>\n<｜DSML｜parameter name="search" string="true">DEPTH = 4</｜DSML｜parameter>\n'
    '<｜DSML｜parameter name="replace" string="true">DEPTH = 6</｜DSML｜parameter>\n</｜DSML｜invoke>',
    "gpt-oss": "<|channel|>commentary to=functions.edit_file <|constrain|>json<|message|>" f"{json.dumps(EDIT)}<|call|>",
    "gpt-oss the other way": "<|start|>assistant to=functions.edit_file<|channel|>commentary json<|message|>"
    f"{json.dumps(EDIT)}<|call|>",
    "Kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.edit_file:0<|tool_call_argument_begin|>"
    f"{json.dumps(EDIT)}<|tool_call_end|>",
    "GLM": "<tool_call>edit_file\n<arg_key>path</arg_key>\n<arg_value>train.py</arg_value>\n<arg_key>search</arg_key>\n"
    "<arg_value>DEPTH = 4</arg_value>\n<arg_key>replace</arg_key>\n<arg_value>DEPTH = 6</arg_value>\n</tool_call>",
    "Anthropic": '<invoke name="edit_file">\n<parameter name="path">train.py</parameter>\n<parameter name="search">DEPTH = 4'
    '</parameter>\n<parameter name="replace">DEPTH = 6</parameter>\n</invoke>',
    "Cline": "<edit_file>\n<path>train.py</path>\n<search>DEPTH = 4</search>\n<replace>DEPTH = 6</replace>\n</edit_file>",
    "Granite": f"<|tool_call|>[{call()}]",
    "Phi": f"functools[{call()}]",
    "ReAct": f"Thought: deeper.\nAction: edit_file\nAction Input: {json.dumps(EDIT)}\n",
    "bare JSON": call("parameters"),
    "JSON in a fence": f"```json\n{call()}\n```",
    "JSON of OpenAI's form": json.dumps({"tool_calls": [{"id": "1", "type": "function", "function": json.loads(call())}]}),
    "JSON with arguments as text": json.dumps({"name": "edit_file", "arguments": json.dumps(EDIT)}),
    "JSON beside its name": json.dumps({"tool": "edit_file", **EDIT}),
    "a Python dict": str({"name": "edit_file", "arguments": EDIT}),
    "a Python call": "edit_file(path='train.py', search='DEPTH = 4', replace='DEPTH = 6')",
    "a Python call by position": 'edit_file("train.py", """DEPTH = 4""", """DEPTH = 6""")',
    "a Python call in a fence": '```tool_code\nprint(default_api.edit_file(path="train.py", search="DEPTH = 4", '
    'replace="DEPTH = 6"))\n```',
    "another tool's name": f"<tool_call>{call(name='str_replace', path='train.py', old_str='DEPTH = 4', new_str='DEPTH = 6')}"
    "</tool_call>",
    "a patch as an argument": f"<tool_call>{call(name='apply_patch', input=f'--- a/train.py{chr(10)}+++ b/train.py{chr(10)}{HUNK}')}"
    "</tool_call>",
    "behind a byte order mark": f"\ufefftrain.py\n```python\n{BLOCK}\n```",
    "behind a mark that nobody sees": f"train.py\n```python\n\u200b{BLOCK}\n```",
    "escaped for a page": html.escape(f"train.py\n```python\n{BLOCK}\n```"),
    "Hermes, escaped for a page": html.escape(f"<tool_call>{call()}</tool_call>"),
    "quoted as a whole": "\n".join(f"> {line}" for line in f"train.py\n```python\n{BLOCK}\n```".split("\n")),
    "between tildes": f"train.py\n~~~python\n{BLOCK}\n~~~",
    "in a fence within a fence": f"````markdown\ntrain.py\n```python\n{BLOCK}\n```\n````",
    "with marks of git": f"train.py\n```\n{BLOCK}\n```".replace("SEARCH", "HEAD").replace("REPLACE", "new"),
    "as a diff that counts nothing": f"```diff\n{HUNK}\n```".replace("-1,3 +1,3", "-0,0 +0,0"),
    "as a diff whose hunk says dots": f"```diff\n{HUNK}\n```".replace("-1,3 +1,3", "..."),
    "as a diff with dates": f"```diff\n--- train.py\t2026-01-01\n+++ train.py\t2026-01-02\n{HUNK}\n```",
    "as a diff with the line ends of Windows": f"```diff\n{HUNK}\n```".replace("\n", "\r\n"),
    "as a V4A patch typed at a prompt": f"```sh\n$ apply_patch << EOF\n{V4A}\nEOF\n```",
    "Command R": f"Action: ```json\n[{json.dumps({'tool_name': 'edit_file', 'parameters': EDIT})}]\n```",
    "Nemotron": f"<TOOLCALL>[{call()}]</TOOLCALL>",
    "Hunyuan": f"<tool_calls>[{call()}]</tool_calls>",
    "InternLM": f"<|action_start|><|plugin|>{call('parameters')}<|action_end|>",
    "LFM2": '<|tool_call_start|>[edit_file(path="train.py", search="DEPTH = 4", replace="DEPTH = 6")]<|tool_call_end|>',
    "Cohere": f'<|START_ACTION|>[{{"tool_call_id": "0", "tool_name": "edit_file", "parameters": {json.dumps(EDIT)}}}]<|END_ACTION|>',
    "FunctionGemma": "<start_function_call>call:edit_file{path:<escape>train.py<escape>,replace:<escape>DEPTH = 6<escape>,"
    "search:<escape>DEPTH = 4<escape>}<end_function_call>",
    "Gemma 4": '<|tool_call>call:edit_file{path:<|"|>train.py<|"|>,replace:<|"|>DEPTH = 6<|"|>,search:<|"|>DEPTH = 4<|"|>}<tool_call|>',
    "Apertus": f"<|tools_prefix|>[{json.dumps({'edit_file': EDIT})}]<|tools_suffix|>",
    "gptme": f"@edit_file(call-1): {json.dumps(EDIT)}",
    "YAML": "```yaml\ntool: edit_file\narguments:\n  path: train.py\n  search: DEPTH = 4\n  replace: DEPTH = 6\n```",
    "YAML with blocks": "```yaml\ntool_call:\n  name: edit_file\n  arguments:\n    path: train.py\n    search: |\n      DEPTH = 4  # layers\n"
    "    replace: |\n      DEPTH = 6  # layers\n```",
    "YAML in a bare fence": "```\n- name: edit_file\n  path: train.py\n  search: DEPTH = 4\n  replace: DEPTH = 6\n```",
    "a patch in a list of words": json.dumps({"command": ["apply_patch", V4A]}),
    "a patch in a command": json.dumps({"cmd": f"apply_patch <<'EOF'\n{V4A}\nEOF"}),
    "a patch for bash": json.dumps({"cmd": ["bash", "-lc", f"apply_patch <<'EOF'\n{V4A}\nEOF"]}),
    "Cline's other tool": f"<replace_in_file>\n<path>train.py</path>\n<diff>\n{BLOCK}\n</diff>\n</replace_in_file>",
    "Cline's whole file": f"<write_to_file>\n<path>train.py</path>\n<content>\n{EDITED}</content>\n</write_to_file>",
    "a whole file for a shell": f"```bash\ncat > train.py <<'EOF'\n{EDITED}EOF\npython train.py\n```",
    "a whole file for tee": f"```sh\n$ tee ./train.py << EOF\n{EDITED}EOF\n```",
    "with short marks": "<<< SEARCH\nDEPTH = 4  # layers\n===\nDEPTH = 6  # layers\n>>> REPLACE",
    "OLMo": '<function_calls>\nedit_file(path="train.py", search="DEPTH = 4", replace="DEPTH = 6")\n</function_calls>',
}  # fmt: skip
"""As text of an answer."""

WHOLE = json.dumps(EDITED)
CALLS = {
    "more than asked for": ("edit_file", json.dumps({**EDIT, "reason": "deeper"})),
    "other names": ("edit_file", '{"file_path": "train.py", "old_string": "DEPTH = 4", "new_string": "DEPTH = 6"}'),
    "camel case": ("editFile", '{"filePath": "train.py", "oldText": "DEPTH = 4", "newText": "DEPTH = 6"}'),
    "another tool": (
        "str_replace_editor",
        '{"command": "str_replace", "path": "train.py", "old_str": "DEPTH = 4", "new_str": "DEPTH = 6"}',
    ),
    "a prefix": ("functions.edit_file", json.dumps(EDIT)),
    "a leaked mark": ("edit_file<|channel|>commentary", json.dumps(EDIT)),
    "a list of edits": ("edit_file", '{"path": "train.py", "edits": [{"search": "DEPTH = 4", "replace": "DEPTH = 6"}]}'),
    "a list of edits as text": (
        "edit_file",
        json.dumps({"path": "train.py", "edits": json.dumps([{"old": "DEPTH = 4", "new": "DEPTH = 6"}])}),
    ),
    "a list of calls": ("edit_file", json.dumps([EDIT])),
    "encoded twice": ("edit_file", json.dumps(json.dumps(EDIT))),
    "packed": ("edit_file", json.dumps({"arguments": EDIT})),
    "packed as text": ("edit_file", json.dumps({"input": json.dumps(EDIT)})),
    "under its own name": ("edit_file", json.dumps({"edit_file": EDIT})),
    "a Python dict": ("edit_file", str(EDIT)),
    "between fences": ("edit_file", f"```json\n{json.dumps(EDIT)}\n```"),
    "raw line breaks": (
        "edit_file",
        '{"path": "train.py", "search": "DEPTH = 4  # layers\nWIDTH", "replace": "DEPTH = 6  # layers\nWIDTH"}',
    ),
    "a comma too many": ("edit_file", '{"path": "train.py", "search": "DEPTH = 4", "replace": "DEPTH = 6",}'),
    "bare keys": ("edit_file", '{path: "train.py", search: "DEPTH = 4", replace: "DEPTH = 6"}'),
    "triple quotes": ("edit_file", '{"path": "train.py", "search": """DEPTH = 4""", "replace": """DEPTH = 6"""}'),
    "fences around the piece": ("edit_file", json.dumps({**EDIT, "search": "```python\nDEPTH = 4\n```"})),
    "line numbers": (
        "edit_file",
        json.dumps({"path": "train.py", "search": "    1  DEPTH = 4  # layers", "replace": "    1  DEPTH = 6  # layers"}),
    ),
    "line breaks escaped twice": (
        "edit_file",
        json.dumps({"path": "train.py", "search": "DEPTH = 4  # layers\\nWIDTH", "replace": "DEPTH = 6  # layers\\nWIDTH"}),
    ),
    "lines as a list": (
        "edit_file",
        json.dumps({"path": "train.py", "search": ["DEPTH = 4  # layers", "WIDTH = 64"], "replace": ["DEPTH = 6  # layers", "WIDTH = 64"]}),
    ),
    "./": ("edit_file", json.dumps({**EDIT, "path": "./train.py"})),
    "an absolute path": ("edit_file", json.dumps({**EDIT, "path": "/workspace/project/train.py"})),
    "a path in marks": ("edit_file", json.dumps({**EDIT, "path": "`train.py`"})),
    "a diff": ("edit_file", json.dumps({"path": "train.py", "diff": HUNK})),
    "SEARCH/REPLACE": ("replace_in_file", json.dumps({"path": "train.py", "diff": BLOCK})),
    "a patch": (
        "apply_patch",
        json.dumps({"input": V4A}),
    ),
    "a patch for a shell": ("shell", json.dumps({"command": ["apply_patch", V4A]})),
    "a whole file": ("edit_file", f'{{"path": "train.py", "content": {WHOLE}}}'),
    "a file by another name": ("create_file", f'{{"filename": "train.py", "contents": {WHOLE}}}'),
    "a file between fences": ("write_file", json.dumps({"path": "train.py", "text": f"```python\n{EDITED}```"})),
    "a file with line numbers": (
        "write_file",
        json.dumps({"path": "train.py", "text": "\n".join(f"{n:5d}  {line}" for n, line in enumerate(EDITED.split("\n")[:-1], 1))}),
    ),
    "a file escaped twice": ("write_file", json.dumps({"path": "train.py", "text": WHOLE[1:-1]})),
}  # fmt: skip
"""As name and arguments of a call."""
