# SPDX-License-Identifier: MIT OR Apache-2.0
#
# From the results of measure.sh a table and the goals (or both as JSON, with -v json=1). With -v check=1 it exits with 1 if
# a goal is missed.

BEGIN {
	FS = "\t"
	split("name tool runs ms mb status file bytes outputs types structs unions enums typedefs functions variables note", fields, " ")
	# How many times faster than the faster pahole; twice for those not named.
	speed["vmlinux"] = speed["postgres"] = 4
	speed["rust"] = 5
	memory_limit["vmlinux"] = 350
	time_limit["merge"] = 30
	time_limit["merge-dedup"] = 100
	time_limit["list"] = 50
	time_limit["ko"] = 30
	# How many times what libbpf takes, given the least to do.
	verify_time = 1.5
	verify_memory = 2
}

{
	rows++
	for (i = 1; i <= 17; i++)
		cell[rows, fields[i]] = $i
	row[$1, $2] = rows
	if (!($1 in seen)) {
		seen[$1]
		names[++inputs] = $1
	}
}

END {
	for (i = 1; i <= inputs; i++)
		judge(names[i])
	if (json)
		print_json()
	else
		print_table()
	exit check && missed > 0
}

# What was promised for one input.
function judge(name,    own) {
	own = own_row(name)
	if (!own)
		return
	if (cell[own, "status"] != 0) {
		goal(name, "done", "exit status 0", "exit status " cell[own, "status"] ", " cell[own, "note"], 0)
		return
	}
	if (cell[own, "file"] == "missing" || cell[own, "file"] == "damaged") {
		goal(name, "output", "accepted", cell[own, "file"] ", " cell[own, "note"], 0)
		return
	}
	if (name in time_limit)
		goal(name, "time", "at most " time_limit[name] " ms", sprintf("%.1f ms", cell[own, "ms"]), cell[own, "ms"] <= time_limit[name])
	if (name in memory_limit)
		goal(name, "memory", "at most " memory_limit[name] " MB", sprintf("%.1f MB", cell[own, "mb"]), cell[own, "mb"] <= memory_limit[name])
	if ((name, "ufunc-gen") in row)
		judge_beside_pahole(name, own)
	if ((name, "loader") in row)
		judge_beside_libbpf(name, own)
}

# The row of what is ours.
function own_row(name) {
	if ((name, "ufunc-gen") in row)
		return row[name, "ufunc-gen"]
	return (name, "loader") in row ? row[name, "loader"] : row[name, name]
}

function judge_beside_libbpf(name, own,    i, time, memory) {
	for (i = 1; i <= rows; i++) {
		if (cell[i, "name"] != name || i == own)
			continue
		if (cell[i, "status"] != 0) {
			unjudged(name, cell[i, "tool"] " failed: exit status " cell[i, "status"])
			continue
		}
		time = cell[own, "ms"] / cell[i, "ms"]
		memory = cell[own, "mb"] / cell[i, "mb"]
		goal(name, "time", "at most " verify_time "x of " cell[i, "tool"], sprintf("%.2fx", time), time <= verify_time)
		goal(name, "memory", "at most " verify_memory "x of " cell[i, "tool"], sprintf("%.2fx", memory), memory <= verify_memory)
	}
}

function judge_beside_pahole(name, own,    times, fast, lean, small, factor) {
	if (cell[own, "outputs"] > 1)
		goal(name, "output", "the same each time", cell[own, "outputs"] " different ones", 0)
	# What comes to nothing may come to it fast; what is damaged has had its time.
	fast = best(name, "ms", "ok") ? best(name, "ms", "ok") : best(name, "ms", "damaged")
	if (!fast) {
		unjudged(name, "no pahole wrote anything")
		return
	}
	times = name in speed ? speed[name] : 2
	factor = cell[fast, "ms"] / cell[own, "ms"]
	goal(name, "speed", "at least " times "x of " cell[fast, "tool"] (cell[fast, "file"] == "ok" ? "" : ", whose output is damaged"), sprintf("%.2fx", factor), factor >= times)
	lean = best(name, "mb", "ok")
	if (!lean) {
		unjudged(name, "memory and size: no pahole wrote a file that bpftool and libbpf accept")
		return
	}
	goal(name, "memory", sprintf("at most %.1f MB, as %s", cell[lean, "mb"], cell[lean, "tool"]), sprintf("%.1f MB", cell[own, "mb"]), cell[own, "mb"] <= cell[lean, "mb"] + 0)
	small = best(name, "bytes", "ok")
	if (cell[own, "bytes"] > cell[small, "bytes"] * 1.05 && content(own) > content(small) * 1.02)
		unjudged(name, sprintf("size: %d bytes, and %d of %s: other content (%s against %s)", cell[own, "bytes"], cell[small, "bytes"], cell[small, "tool"], contents(own), contents(small)))
	else
		goal(name, "size", sprintf("at most 5 %% above the %d bytes of %s", cell[small, "bytes"], cell[small, "tool"]), cell[own, "bytes"] " bytes", cell[own, "bytes"] <= cell[small, "bytes"] * 1.05)
}

# The row of the pahole that did best in `field`, of those whose output is such as `file` says; 0 if there is none.
function best(name, field, file,    i, found) {
	for (i = 1; i <= rows; i++)
		if (cell[i, "name"] == name && cell[i, "tool"] ~ /^pahole/ && cell[i, "file"] == file && cell[i, "status"] == 0)
			if (!found || cell[i, field] + 0 < cell[found, field] + 0)
				found = i
	return found
}

# What takes the space: two outputs are compared by size only if they say about as much.
function content(i) {
	return cell[i, "structs"] + cell[i, "unions"] + cell[i, "enums"] + cell[i, "typedefs"] + cell[i, "functions"] + cell[i, "variables"]
}

function contents(i) {
	return cell[i, "structs"] + cell[i, "unions"] " structs and unions, " cell[i, "enums"] " enums, " cell[i, "typedefs"] " typedefs, " cell[i, "functions"] " functions, " cell[i, "variables"] " variables"
}

function goal(name, what, wanted, found, met) {
	goals++
	goal_name[goals] = name
	goal_what[goals] = what
	goal_text[goals] = found "; goal: " wanted
	goal_met[goals] = met ? "met" : "missed"
	missed += !met
}

function unjudged(name, why) {
	goals++
	goal_name[goals] = name
	goal_what[goals] = "not judged"
	goal_text[goals] = why
	goal_met[goals] = "not judged"
}

function print_table(    i, own, last) {
	printf "%-19s %-12s %9s %7s %8s %7s %10s %7s %7s %7s %6s %8s %6s %6s  %s\n", "input", "tool", "ms", "x ours", "MB", "x ours", "bytes", "types", "structs", "unions", "enums", "typedefs", "funcs", "vars", "result"
	for (i = 1; i <= rows; i++) {
		own = own_row(cell[i, "name"])
		printf "%-19s %-12s %9.1f %7s %8.1f %7s", cell[i, "name"] == last ? "" : cell[i, "name"], cell[i, "tool"], cell[i, "ms"], ratio(i, own, "ms"), cell[i, "mb"], ratio(i, own, "mb")
		if (cell[i, "file"] == "none")
			printf " %10s %7s %7s %7s %6s %8s %6s %6s", "", "", "", "", "", "", "", ""
		else
			printf " %10d %7d %7d %7d %6d %8d %6d %6d", cell[i, "bytes"], cell[i, "types"], cell[i, "structs"], cell[i, "unions"], cell[i, "enums"], cell[i, "typedefs"], cell[i, "functions"], cell[i, "variables"]
		print "  " result(i)
		last = cell[i, "name"]
	}
	print ""
	for (i = 1; i <= goals; i++)
		printf "%-10s  %s: %s\n", goal_met[i], goal_name[i] (goal_what[i] == "not judged" ? "" : ": " goal_what[i]), goal_text[i]
	printf "%d goals: %d missed\n", goals, missed
}

function ratio(i, own, field) {
	if (i == own || !own || cell[own, "status"] != 0 || !(cell[own, field] > 0))
		return ""
	return sprintf("%.2f", cell[i, field] / cell[own, field])
}

function result(i,    text) {
	text = cell[i, "file"] == "none" ? "" : cell[i, "file"]
	if (cell[i, "status"] != 0)
		text = text (text ? ", " : "") "exit status " cell[i, "status"]
	else if (cell[i, "file"] == "missing")
		text = text ", exit status 0"
	if (cell[i, "outputs"] > 1)
		text = text ", " cell[i, "outputs"] " different outputs in " cell[i, "runs"] " runs"
	if (cell[i, "note"] != "")
		text = text ": " cell[i, "note"]
	return text
}

function print_json(    i, f, separator) {
	printf "{\"results\":["
	for (i = 1; i <= rows; i++) {
		printf "%s{", (i > 1 ? "," : "")
		separator = ""
		for (f = 1; f <= 17; f++) {
			printf "%s\"%s\":%s", separator, fields[f], (fields[f] ~ /^(name|tool|file|note)$/ ? quote(cell[i, fields[f]]) : cell[i, fields[f]] + 0)
			separator = ","
		}
		printf "}"
	}
	printf "],\"goals\":["
	for (i = 1; i <= goals; i++)
		printf "%s{\"name\":%s,\"goal\":%s,\"text\":%s,\"verdict\":%s}", (i > 1 ? "," : ""), quote(goal_name[i]), quote(goal_what[i]), quote(goal_text[i]), quote(goal_met[i])
	print "]}"
}

function quote(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	gsub(/[[:cntrl:]]/, " ", text)
	return "\"" text "\""
}
