using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Contracts;

/// <summary>Which jobs a version of a contract is for and what it does to each, for people.</summary>
internal static class ContractEffectTable
{
    public static void Print(Surroundings world, Contract contract)
    {
        if (contract.Effects.Count == 0)
            return;
        var broken = contract.Effects.Count(effect => effect.Breaks);
        world.Out.WriteLine($"  jobs bound to this version or earlier ones: {contract.Effects.Count}{(contract.MoreEffects ? " and more, which are not shown" : "")}; it breaks {broken}");
        var table = new TextTable("JOB", "REGION", "BOUND_TO", "BREAKS", "WHY");
        foreach (var effect in contract.Effects)
        {
            // A row for each reason; what refuses or changes comes before what is only worth knowing.
            var why = effect.Findings.Where(finding => finding.Severity == "error").Select(finding => $"{finding.Rule}: {finding.Message}")
                .Concat(effect.Breaking.Select(reason => $"{reason.Rule}: {reason.Message}"))
                .Concat(effect.Findings.Where(finding => finding.Severity != "error").Select(finding => $"{finding.Severity} {finding.Rule}: {finding.Message}"))
                .Select(Talk.OneLine).DefaultIfEmpty("");
            foreach (var (i, reason) in why.Index())
                if (i == 0)
                    table.Row($"{effect.Environment}/{effect.JobId}", effect.Region, effect.ContractVersion, effect.Breaks ? "yes" : "no", reason);
                else
                    table.Row("", "", "", "", reason);
        }
        table.WriteTo(world, "  ");
    }
}
