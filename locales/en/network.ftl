### The network between the nodes, for administrators.

network-title = Network and keys
network-kind = Between the nodes
network-lan = A local network
network-lan-hint = One site or one town, milliseconds apart. A dead node is known within about two seconds.
network-wan = A wide network
network-wan-hint = Sites far apart, lines that stop for seconds. A dead node is known later, so that a slow line is not mistaken for one.
network-restart-hint = A node follows at the next start of hwcd.
network-in-force = In force on the nodes
network-needs-restart = restart hwcd to follow
network-unheard = not heard yet

key-title = Key between the nodes
key-everywhere = Every node has the newest key, number { $number }.
key-not-everywhere = Not every node has the newest key yet, number { $number }.
key-old-ends = The one before ends in { $time }.
key-other = { $node } is getting it.
key-unheard = { $node } does not answer. It gets it when it returns.
key-replace = Replace the key
key-replace-hint = Nothing is interrupted: for a while both are good.

refused-title = Refused
refused-none = nothing
refused-datagrams = Datagrams
refused-connections = Connections
refused-boards = Boards
refused-requests = Requests
refused-hint = Counted since each node’s hwcd started. Nothing was changed by it. Many of one kind on the network are worth a look into the log.
