using KpiControl.Control.Database;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Leases;

/// <summary>
/// This node's own lease, on which all its sessions hang: a heartbeat of an agent touches no row, the node extends one.
/// </summary>
internal sealed partial class NodeLease(SessionStore store, IOptions<LeaseOptions> options, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<NodeLease> logger) : BackgroundService
{
    private readonly TaskCompletionSource<NodeRef> _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    // Measured from before the database was asked, so that this node never believes longer than the database does.
    private long _sureSince;

    public string Name => options.Value.Node;

    public Task<NodeRef> RegisteredAsync(CancellationToken token) => _registered.Task.WaitAsync(token);

    /// <summary>
    /// Whether this node extended itself within the grace; only then is a heartbeat answered. Others end this node's sessions
    /// a TTL and a grace after its last extension, and an agent that is answered trusts for up to a TTL from then on.
    /// </summary>
    public bool IsSure => _registered.Task.IsCompletedSuccessfully && time.GetElapsedTime(Volatile.Read(ref _sureSince)) < options.Value.Grace;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var node = await RegisterAsync(stoppingToken);
        using var timer = new PeriodicTimer(options.Value.ExtendEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            if (!await ExtendAsync(node, stoppingToken))
            {
                Log.Replaced(logger, Name);
                lifetime.StopApplication();
                return;
            }
    }

    private async Task<NodeRef> RegisterAsync(CancellationToken token)
    {
        while (true)
            try
            {
                var asked = time.GetTimestamp();
                var node = await store.RegisterNodeAsync(Name, options.Value.Ttl, token);
                Volatile.Write(ref _sureSince, asked);
                _registered.SetResult(node);
                Log.Registered(logger, Name, node.NodeId, node.Generation);
                return node;
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Log.Away(logger, error.Message);
                await Task.Delay(options.Value.ExtendEvery, time, token);
            }
    }

    private async Task<bool> ExtendAsync(NodeRef node, CancellationToken token)
    {
        try
        {
            var asked = time.GetTimestamp();
            if (!await store.ExtendNodeAsync(node, options.Value.Ttl, token))
                return false;
            Volatile.Write(ref _sureSince, asked);
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Log.Away(logger, error.Message);
        }
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 310, Level = LogLevel.Information, Message = "Node {Name} is node {NodeId}, generation {Generation}")]
        public static partial void Registered(ILogger logger, string name, int nodeId, int generation);

        [LoggerMessage(EventId = 311, Level = LogLevel.Critical, Message = "Another process took the node name {Name}; this one stops. Give each node its own Leases:Node.")]
        public static partial void Replaced(ILogger logger, string name);

        [LoggerMessage(EventId = 312, Level = LogLevel.Warning, Message = "The node's lease could not be extended: {Error}")]
        public static partial void Away(ILogger logger, string error);
    }
}
