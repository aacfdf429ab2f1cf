using Grpc.Core;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Monitoring;

internal sealed class MonitorService(LoadReads load, OverviewReads overview) : Protocol.V1.MonitorService.MonitorServiceBase
{
    public override Task<LoadMap> GetLoadMap(GetLoadMapRequest request, ServerCallContext context) => load.MapAsync(context.Caller(), request, context.CancellationToken);

    public override Task<Overview> GetOverview(GetOverviewRequest request, ServerCallContext context) => overview.ReadAsync(context.Caller(), request, context.CancellationToken);
}
