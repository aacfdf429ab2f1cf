using Google.Protobuf.WellKnownTypes;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Tests.Leasing;

internal static class Leases
{
    private static long fences = 100;

    public static Lease New(string connection = "test", TimeSpan? timeout = null, int epoch = 1) => new()
    {
        AttemptId = Guid.CreateVersion7().ToString(),
        BindingId = 7,
        Tenant = "acme",
        Environment = "dev",
        JobId = "dso_daily",
        Fence = new Fence { Epoch = epoch, Number = Interlocked.Increment(ref fences) },
        SlotKey = "schedule:2026-01-02T02:00:00Z",
        TryNumber = 1,
        Timeout = Duration.FromTimeSpan(timeout ?? TimeSpan.FromMinutes(5)),
        KpiId = "CFO-EF-02",
        ContractVersion = "1.1.0",
        ContractDigest = "sha256:c1",
        ContractJson = """{"payload":{}}""",
        CallJson = """{"kpi_id":"CFO-EF-02"}""",
        ConnId = connection,
    };
}
