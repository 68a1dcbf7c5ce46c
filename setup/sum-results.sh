#!/bin/sh
# Reads a cargo test run; prints: tests passed, tests failed, failed targets with a result line, failed targets by cargo's own count.
exec awk '
    /^test result: / {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^failed/) failed += $(i - 1)
        }
        if (/^test result: FAILED/) reported++
    }
    /^error: [0-9]+ targets? failed:/ { targets += $2 }
    END { print passed + 0, failed + 0, reported + 0, targets + 0 }'
