# Ctrl-C: status 130, one line, nothing half-written, no worker left.
timeout --preserve-status -s INT 2 divvy calibrate -o interrupted.json
echo "status $?"
ls interrupted.json* 2>/dev/null
sleep 0.5
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -c '[i]nterrupted.json'
