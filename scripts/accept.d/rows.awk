# Reads the headers of scripts/accept.d: a script's comments up to its first command, or the paragraphs of commands.rows.
#   mode=list  a line each: name, title          mode=runs  name, how (script, ctest, command), what, when; tabs between
#   mode=page  docs/acceptance.md, with what results=FILE says was printed
# A line is `KEY: text`; a line that begins with two spaces goes on with the one before. Keys:
#   row      name (commands.rows alone; a script is named by its file)
#   title    one line, said when the row runs
#   claim N  what the row shows, and the issue and points that ask for it: `claim 4.1,3: ...`
#   limit    what the last claim is held to              detail   what one sentence has no room for
#   ctest    the tests that show it                      command  another command that shows it
#   see      where its figures stand                     takes    how long, about
#   when     `asked`: only when named
#   issue N  title of a section (commands.rows alone)    note N   a sentence under it
function keep(line,  i) {
  if (line ~ /^  / && key != "") { value = value " " substr(line, 3); return }
  take()
  if ((i = index(line, ": ")) == 0) return
  key = substr(line, 1, i - 1)
  value = substr(line, i + 2)
}
function take(  word, number) {
  word = key
  sub(/ .*/, "", word)
  number = substr(key, length(word) + 2)
  if (word == "row") { row = value; names[++num_rows] = row }
  else if (word == "claim") { ++num_claims; claim[num_claims] = value; of_row[num_claims] = row; point[num_claims] = number
                              ordinal[num_claims] = ++claims_of[row] }
  else if (word == "limit") limit[num_claims] = value
  else if (word == "detail") detail[num_claims] = value
  else if (word == "issue") { issues[++num_issues] = number; issue_title[number] = value }
  else if (word == "note") note[number] = value
  else if (word != "") fact[row, word] = value
  key = ""
}
FNR == 1 {
  take()
  is_script = FILENAME !~ /\.rows$/
  in_header = 1
  if (is_script) { row = FILENAME; sub(/.*\//, "", row); names[++num_rows] = row; next }
}
is_script && !/^#/ { in_header = 0 }
is_script && in_header { keep(substr($0, 3)) }
!is_script { keep($0) }

function how(row) { return (row, "ctest") in fact ? "ctest" : (row, "command") in fact ? "command" : "script" }
function code(text) { gsub(/\|/, "\\|", text); return "`" text "`" }
function command_of(row,  text) {
  text = how(row) == "script" ? "scripts/accept " row : how(row) == "command" ? fact[row, "command"] : fact[row, "ctest"]
  if (how(row) == "ctest") text = "ctest --test-dir build -R " (text ~ /\|/ ? "'" text "'" : text)
  return code(text) ((row, "see") in fact ? "; " code(fact[row, "see"]) : "")
}
function printed_of(i,  text) {
  text = (of_row[i] "/" ordinal[i]) in printed ? printed[of_row[i] "/" ordinal[i]] : printed[of_row[i]]
  gsub(/\|/, "\\|", text)
  return text == "" ? "not run yet" : text
}
# Claims in the order of their points; figures stand last.
function sort_claims(  i, j, item, parts) {
  for (i = 1; i <= num_claims; ++i) {
    split(point[i], parts, /[.,]/)
    item = parts[2] == "figures" ? 999 : parts[2] + 0
    rank[i] = parts[1] * 1000 + item
    for (j = i - 1; j >= 1 && rank[order[j]] > rank[i]; --j) order[j + 1] = order[j]
    order[j + 1] = i
  }
}
# Text wrapped at 118 columns; later lines begin with `indent`.
function wrapped(text, indent,  words, n, i, line, out) {
  n = split(text, words, " ")
  for (i = 1; i <= n; ++i) {
    if (line != "" && length(line) + 1 + length(words[i]) > 118) { out = out line "\n"; line = indent words[i] }
    else line = line == "" ? words[i] : line " " words[i]
  }
  return out line
}
function write_page(  n, i, k, number, had_detail) {
  print "# Acceptance\n"
  print "Written by `scripts/accept --write` from the rows in `scripts/accept.d` and from `docs/acceptance/results.tsv`;"
  print "`scripts/accept --write ROW...` runs rows first and keeps what they print. One line a claim: the point of the issue"
  print "that makes it, the command that shows it, what it is held to, and what was printed when it was last run. Each row prints"
  print "what it saw and ends with PASS or FAIL; `scripts/accept --list` names them.\n"
  print "Machine of the figures: AMD EPYC (Zen 4, AVX-512), 2 CPUs, 24 GiB, Debian 12, shared with other jobs."
  for (n = 1; n <= num_issues; ++n) {
    number = issues[n]
    print "\n## " issue_title[number] " (issue " number ")\n"
    if (number in note) print wrapped(note[number], "") "\n"
    print "| # | claim | command | limit | printed |\n|---|---|---|---|---|"
    had_detail = 0
    for (k = 1; k <= num_claims; ++k) {
      i = order[k]
      if (point[i] !~ "^" number "\\.") continue
      print "| " substr(point[i], length(number) + 2) " | " claim[i] " | " command_of(of_row[i]) " | " limit[i] " | " printed_of(i) " |"
      had_detail = had_detail || i in detail
    }
    if (had_detail) print "\nMore of what the rows hold:\n"
    for (k = 1; k <= num_claims; ++k) {
      i = order[k]
      if (point[i] ~ "^" number "\\." && i in detail) print wrapped("- " code(of_row[i]) " (" substr(point[i], length(number) + 2) "): " detail[i], "  ")
    }
  }
}
END {
  take()
  if (mode == "list") for (n = 1; n <= num_rows; ++n) printf "%-18s %s\n", names[n], fact[names[n], "title"]
  if (mode == "runs") for (n = 1; n <= num_rows; ++n) {
    row = names[n]
    printf "%s\t%s\t%s\t%s\t%s\n", row, how(row), how(row) == "ctest" ? fact[row, "ctest"] : how(row) == "command" ? fact[row, "command"] : "-", (row, "when") in fact ? fact[row, "when"] : "-", fact[row, "title"]
  }
  if (mode != "page") exit
  while ((getline line < results) > 0) {
    split(line, cells, "\t")
    if (line !~ /^#/ && cells[1] != "") printed[cells[1]] = cells[2] ": " cells[4]
  }
  sort_claims()
  write_page()
}
