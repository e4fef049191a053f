### Nodes, for administrators.

nodes-title = Nodes
node-add = Add a node
numbers-nodes = Nodes answering
numbers-sites-live = Sites live
numbers-draining = { $count } draining
numbers-moves = Moving now
numbers-planned = { $count } planned
numbers-space = Space in use

health-up = Answers
health-suspect = No answer
health-down = Dead

map-label = Map of the nodes. The table view holds the same facts.
map-node = Node { $node }: { $state }, { $sites ->
    [one] { $sites } live site
   *[other] { $sites } live sites
}, { $copies ->
    [one] { $copies } copy
   *[other] { $copies } copies
}
legend-live-site = live site
legend-copies = copies, wider is more
legend-ring = ring: load

column-node = Node
column-load = Load
column-live-sites = Live sites
column-copies = Copies held
column-version = Version
column-notes = Needs a look

meter-processor = Processor
meter-memory = Memory
meter-pool = Pool

node-holds = { $sites ->
    [one] { $sites } live site
   *[other] { $sites } live sites
} · { $copies ->
    [one] { $copies } copy
   *[other] { $copies } copies
}
node-no-report = It has not reported yet.
node-live = Serves
node-live-count = { $sites ->
    [one] { $sites } site
   *[other] { $sites } sites
}, { $databases ->
    [one] { $databases } database
   *[other] { $databases } databases
}
node-heaviest = Heaviest now
cores-used = { $cores } cores
node-version = Version
node-reported = Last report
node-started = Started
node-problems = Needs a look
node-services = Services
service-running = running
service-stopped = stopped
service-failed = failed
node-trouble = { $count ->
    [one] { $count } thing
   *[other] { $count } things
}
node-no-trouble = nothing

troubles-title = Needs a look
troubles-none = Nothing. You don’t have to do anything.
troubles-none-text = Every node answers, its services run, and it follows the settings.
trouble-suspect = does not answer. If it stays so, its sites are taken over within seconds.
trouble-down = is dead. Its sites were taken over where there is a copy.
trouble-service = could not keep { $service } running.

## Adding a node

node-add-title = Add a node
node-add-valid = The token is good for
node-add-minutes = { $minutes ->
    [1440] 1 day
    [60] 1 hour
   *[other] { $minutes } minutes
}
node-add-hint = It lets one server join, once. Keep it secret until then.
node-add-button = Make a join token
node-add-run = Run this on the new server, as root
node-add-once = Shown only once.
node-add-until = Good until
node-add-how = How a node joins
node-add-step-install = Install the package on a server with Debian 13.
node-add-step-token = Make a join token here and run the command there.
node-add-step-appears = The node appears on the map and takes copies by itself.
