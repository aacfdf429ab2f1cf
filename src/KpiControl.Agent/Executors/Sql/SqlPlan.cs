using System.Globalization;
using System.Text.Json;
using KpiControl.Agent.Executors.Calls;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>A call that was checked against its contract: everything that the statements and the points need.</summary>
internal sealed record SqlPlan
{
    public required MetricContract Contract { get; init; }
    public required KpiCallRequest Call { get; init; }
    public required DateOnly BusinessDate { get; init; }
    public required CallWindow Window { get; init; }
    public required IReadOnlyList<string> Dimensions { get; init; }
    public required IReadOnlyList<FilterSql> Filters { get; init; }
    /// <summary>Those that the call asks for.</summary>
    public required IReadOnlyList<TimeExtension> Extensions { get; init; }
    /// <summary>Those and the ones that rules look at.</summary>
    public required IReadOnlyList<TimeExtension> ComputedExtensions { get; init; }

    public string Grain => Window.Grain;

    public TemplateScope Scope => new(Contract, Dimensions, Filters, Window.WidenedBy(ComputedExtensions), Call.ScdView, BusinessDate);

    public SeriesKey Series(string tenant, string environment) => new(
        tenant, environment, Call.KpiId, Call.ContractVersion, Call.ScdView,
        JsonSerializer.Serialize(Call.Filters.OrderBy(one => one.Field, StringComparer.Ordinal).ThenBy(one => one.Op, StringComparer.Ordinal)
            .Select(one => new { field = one.Field, op = one.Op, value = one.Value })),
        string.Join(',', Dimensions.Order(StringComparer.Ordinal)));

    public static (SqlPlan? Plan, Failure? Failure) Of(LeasedCall lease)
    {
        if (LeasedContract.Read(lease.ContractJson, out var problem) is not { } contract)
            return Refused(problem);
        if (contract.ExpressionText is null)
            return Refused("the contract has no expression: only a KPI service computes it");
        if (KpiCallRequest.Read(lease.Lease.CallJson) is not { } call)
            return Refused("the KPI Call does not have the shape that this agent knows");
        if (call.KpiId != contract.KpiId)
            return (null, new Failure(RunErrors.InvalidKpiId, $"the call names {call.KpiId}, and its contract is of {contract.KpiId}"));
        if (call.ContractVersion != contract.Version)
            return Refused($"the call names version {call.ContractVersion}, and its contract is {contract.Version}");
        if (!DateOnly.TryParseExact(lease.Lease.BusinessDate, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var businessDate))
            return Refused("the lease has no business date");
        return Checked(contract, call, businessDate);
    }

    private static (SqlPlan?, Failure?) Checked(MetricContract contract, KpiCallRequest call, DateOnly businessDate)
    {
        var grain = contract.Grain;
        if (call.ScdView is not ("as_reported" or "restated"))
            return Refused($"scd_view `{call.ScdView}` is neither as_reported nor restated");
        var (window, problem) = CallWindow.Of(call.Time, grain, businessDate);
        if (window is null)
            return Refused(problem);
        IReadOnlyList<string> dimensions = call.Dimensions.Count > 0 ? call.Dimensions : contract.KeyDimensions;
        if (dimensions.FirstOrDefault(name => contract.Dimensions.All(one => one.Name != name)) is { } unknown)
            return Refused($"the contract has no dimension `{unknown}`");
        var filters = call.Filters.Select(filter => FilterSql.Of(filter, contract)).ToList();
        if (filters.Find(one => one.Filter is null) is { Problem: { Length: > 0 } wrong })
            return Refused(wrong);
        if (ExtensionProblem(contract, call, grain) is { } refused)
            return Refused(refused);
        return (With(contract, call, businessDate, window, dimensions, [.. filters.Select(one => one.Filter!)]), null);
    }

    private static SqlPlan With(
        MetricContract contract, KpiCallRequest call, DateOnly businessDate, CallWindow window, IReadOnlyList<string> dimensions, IReadOnlyList<FilterSql> filters)
    {
        var asked = call.TimeExtensions.Distinct().Select(name => TimeExtension.Of(name, window.Grain)!).ToList();
        var ruled = contract.PostValidation.Select(rule => TimeExtension.Of(rule.Of, window.Grain)).OfType<TimeExtension>();
        return new SqlPlan
        {
            Contract = contract, Call = call, BusinessDate = businessDate, Window = window, Dimensions = dimensions, Filters = filters,
            Extensions = asked, ComputedExtensions = [.. asked.Union(ruled)],
        };
    }

    private static string? ExtensionProblem(MetricContract contract, KpiCallRequest call, string grain)
    {
        if (call.Extensions.FirstOrDefault(one => one.Key != "time" && one.Value.Count > 0) is { Key: { } category })
            return $"extensions of category `{category}` are not executed by sql yet";
        var declared = contract.Extensions.GetValueOrDefault("time") ?? [];
        if (call.TimeExtensions.FirstOrDefault(name => !declared.Contains(name)) is { } undeclared)
            return $"the contract has no time extension `{undeclared}`: it has {(declared.Count == 0 ? "none" : string.Join(", ", declared))}";
        return call.TimeExtensions.FirstOrDefault(name => TimeExtension.Of(name, grain) is null) is { } unknown
            ? $"a {contract.Grain} has no time extension `{unknown}`" : null;
    }

    private static (SqlPlan?, Failure?) Refused(string problem) => (null, Failure.Mismatch(problem));
}
