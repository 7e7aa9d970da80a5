#!/usr/bin/env bash
# Runs the built output on other Node versions, fetched from the npm registry into .cache/.
set -euo pipefail
cd "$(dirname "$0")/.."
for major in "$@"; do
	folder=".cache/node-$major"
	if [ ! -x "$folder/node_modules/node/bin/node" ]; then
		mkdir -p "$folder"
		echo '{"private":true}' > "$folder/package.json"
		# The binary is in the package of the platform; nothing has to be run to get it.
		npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --engine-strict=false "node-linux-$(node -p process.arch)@$major" > /dev/null
	fi
	binary=$(find "$folder/node_modules" -path '*/bin/node' -type f -perm -u+x | head -n 1)
	[ -n "$binary" ] || { echo "node $major could not be had" >&2; exit 1; }
	echo "node $("$binary" --version)"
	"$binary" build/smoke.mjs
done
