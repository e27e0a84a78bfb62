//! What `--help` says behind the flags.

pub const GENERAL: &str = "\
Examples:
  mkdir -p box/rootfs; cp /bin/busybox box/rootfs/; cd box
  cofferdam spec                          writes config.json
  cofferdam plan box                      what would be done
  cofferdam run box                       run its program here
  cofferdam create box                    or step by step: set it up
  cofferdam start box                     let the program run
  cofferdam exec -t box sh                a shell in it
  cofferdam kill box KILL
  cofferdam delete box

Exit code: run and exec have the program's, or 128 and the number of the
signal that ended it. Whatever else goes wrong is 1, and 255 of exec; the
message then says whether the program was not found or may not be executed.

Ordinary users need a configuration with a user namespace: spec --rootless.";

pub const CREATE: &str = "\
Everything is set up then, and the program waits. Its streams are those of
this command, or a terminal whose master goes to the console socket.

Examples:
  cofferdam create --bundle /srv/box box
  cofferdam create --console-socket /run/box.sock --pid-file /run/box.pid box";

pub const START: &str = "\
Example:
  cofferdam create box && cofferdam start box";

pub const RUN: &str = "\
In the foreground signals are passed on to the program. If the configuration
asks for a terminal, this one is connected with it. The container is deleted
when the program has ended.

Examples:
  cofferdam run box
  cofferdam run --bundle /srv/box --detach --pid-file /run/box.pid box";

pub const STATE: &str = "\
Example:
  cofferdam state box | jq -r .status";

pub const KILL: &str = "\
Examples:
  cofferdam kill box                      TERM
  cofferdam kill box KILL
  cofferdam kill --all box 9              all of its processes";

pub const DELETE: &str = "\
Examples:
  cofferdam delete box                    one that is stopped
  cofferdam delete --force box            any, and what a crash left of one";

pub const LIST: &str = "\
Examples:
  cofferdam list
  cofferdam list --quiet | xargs -rn1 cofferdam delete --force
  cofferdam list --format json | jq -r '.[] | select(.status == \"running\").id'";

pub const PS: &str = "\
The numbers are those of the host. The table is made by ps(1).

Examples:
  cofferdam ps box
  cofferdam ps box -o pid,rss,args
  cofferdam ps --format json box          their numbers alone";

pub const EXEC: &str = "\
The program has the environment, user and capabilities of the container's
configuration, changed by the flags.

Examples:
  cofferdam exec box ls /
  cofferdam exec --tty --env TERM=xterm box sh
  cofferdam exec --user 1000:1000 --cwd /tmp box id
  cofferdam exec --detach --pid-file /run/job.pid --process job.json box";

pub const PAUSE: &str = "\
Example:
  cofferdam pause box && cofferdam state box | jq -r .status";

pub const RESUME: &str = "\
Example:
  cofferdam resume box";

pub const UPDATE: &str = "\
What is not said stays as it is.

Examples:
  cofferdam update --memory 64M --pids-limit 100 box
  echo '{\"cpu\": {\"shares\": 512}}' | cofferdam update --resources - box";

pub const EVENTS: &str = "\
Each event is a line of JSON.

Examples:
  cofferdam events --stats box | jq .data.memory.usage
  cofferdam events --interval 1s box";

pub const FEATURES: &str = "\
Example:
  cofferdam features | jq -r '.mountOptions[]'";

pub const SPEC: &str = "\
Examples:
  cofferdam spec                          config.json for sh in rootfs/
  cofferdam spec --rootless --bundle box";

pub const PLAN: &str = "\
Nothing is done. The flags are those of create.

Example:
  cofferdam plan --bundle /srv/box box";

pub const COMPLETION: &str = "\
Examples:
  cofferdam completion bash > /etc/bash_completion.d/cofferdam
  source <(cofferdam completion zsh)";
