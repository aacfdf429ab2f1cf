using Google.Protobuf.WellKnownTypes;
using KpiControl.Agent.Executors;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Executors;

/// <summary>The sample artifacts, read as the product reads them, and leases of them as control would grant them.</summary>
internal static class Samples
{
    private static int fences;

    public static string Data => Repository.File("samples", "data");

    public static JobArtifact Job(string file)
    {
        var reading = ArtifactReader.Read(File.ReadAllText(Repository.File("samples", "jobs", file)), ArtifactFormat.Yaml);
        Assert.Equal([], reading.Findings.Where(finding => finding.Severity == Severity.Error));
        return reading.Job!;
    }

    public static ContractReading Contract(string kpiId, string version)
    {
        var contracts = Directory.GetFiles(Repository.File("samples", "contracts"), "*.yaml", SearchOption.AllDirectories)
            .Select(file => (file, ContractReader.Read(File.ReadAllText(file), ArtifactFormat.Yaml))).ToList();
        foreach (var (file, reading) in contracts)
            Assert.True(reading.Contract is not null && reading.Findings.Count == 0, $"{file}: {string.Join(", ", reading.Findings)}");
        return contracts.Select(one => one.Item2).Single(one => one.Contract!.KpiId == kpiId && one.Contract.Version == version);
    }

    public static LeasedCall Lease(string file, string businessDate, string slot = "manual:1", int? epoch = null, long? fence = null, Func<string, string>? contractEdit = null, Func<string, string>? callEdit = null)
    {
        var job = Job(file);
        var contract = Contract(job.KpiId, job.ContractVersion);
        var call = Jobs.Calls.KpiCall.Of(job, contract.Contract!).For(DateOnly.ParseExact(businessDate, "yyyy-MM-dd"));
        var lease = new Lease
        {
            AttemptId = Guid.CreateVersion7().ToString(),
            // A binding for each job.
            BindingId = Math.Abs(job.JobId.GetHashCode(StringComparison.Ordinal)),
            Tenant = job.Tenant, Environment = "dev", JobId = job.JobId,
            Fence = new Fence { Epoch = epoch ?? 1, Number = fence ?? Interlocked.Increment(ref fences) },
            SlotKey = slot, BusinessDate = businessDate, TryNumber = 1, Timeout = Duration.FromTimeSpan(TimeSpan.FromMinutes(2)),
            KpiId = job.KpiId, ContractVersion = job.ContractVersion, ConnId = job.Run.ConnId, OnRuleFail = job.Run.OnRuleFail,
            ScdView = job.Runtime.ScdView, CallJson = callEdit?.Invoke(call) ?? call, TriggerKind = "manual",
        };
        return new LeasedCall(lease, contractEdit?.Invoke(contract.CanonicalJson!) ?? contract.CanonicalJson!, lease.Timeout.ToTimeSpan());
    }
}
