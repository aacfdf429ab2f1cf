using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors;

/// <summary>The contract that came with a lease, read as the control plane read it when it was put.</summary>
internal static class LeasedContract
{
    /// <returns>Null where it cannot be used, with what is wrong in one line.</returns>
    public static MetricContract? Read(string json, out string problem)
    {
        problem = "";
        var reading = ContractReader.Read(json, ArtifactFormat.Json);
        if (reading.Contract is null && reading.Findings.FirstOrDefault(one => one.Severity == Severity.Error) is { } fault)
            problem = $"the contract cannot be executed: {fault.Path}: {fault.Message}";
        return reading.Contract;
    }
}
