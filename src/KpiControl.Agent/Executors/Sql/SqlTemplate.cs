using Fluid;
using Fluid.Values;
using KpiControl.Agent.Executors.Calls;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Agent.Executors.Sql;

/// <summary>What a contract's template may speak of: one call, checked against its contract.</summary>
internal sealed record TemplateScope(
    MetricContract Contract, IReadOnlyList<string> Dimensions, IReadOnlyList<FilterSql> Filters, CallWindow Window, string ScdView, DateOnly BusinessDate);

/// <summary>A statement with its parameters, or why the template cannot be rendered.</summary>
internal sealed record RenderedSql(string Text, IReadOnlyList<object> Parameters, IReadOnlySet<string> FiltersWritten, string Problem = "");

/// <summary>Renders a contract's SQL: holes become declared identifiers and bound parameters, nothing else.</summary>
internal sealed class SqlTemplate(TemplateScope scope, UpstreamSql upstream)
{
    private static readonly FluidParser Parser = new();

    public async Task<RenderedSql> RenderAsync(string text)
    {
        var parameters = new SqlParameters();
        var written = new HashSet<string>();
        if (!Parser.TryParse(text, out var template, out var error))
            return new RenderedSql("", [], written, $"the contract's SQL is no template: {error}");
        try
        {
            var context = new TemplateContext(Options(parameters, written));
            SetVariables(context, parameters);
            return new RenderedSql(await template.RenderAsync(context), parameters.Values, written);
        }
        catch (Exception fault) when (fault is FluidException or ArgumentException or InvalidOperationException)
        {
            return new RenderedSql("", [], written, $"the contract's SQL cannot be rendered: {fault.Message}");
        }
    }

    private TemplateOptions Options(SqlParameters parameters, HashSet<string> written)
    {
        var options = new TemplateOptions { StrictVariables = true, StrictFilters = true, MaxSteps = 100_000 };
        // The library's own filters build text out of values; none of them has a place in SQL.
        options.Filters.Clear();
        options.Filters.AddFilter("columns", (_, arguments, _) => Text(Columns(arguments.At(0).ToStringValue())));
        options.Filters.AddFilter("join_on", (_, arguments, _) => Text(JoinOn(arguments.At(0).ToStringValue(), arguments.At(1).ToStringValue())));
        options.Filters.AddFilter("conditions", (_, arguments, _) => Text(Conditions(Names(arguments), parameters, written)));
        options.Filters.AddFilter("scd", (column, _, _) => Text(Identifier(column.ToStringValue()) + (scope.ScdView == "restated" ? " DESC" : " ASC")));
        options.Filters.AddFilter("kpi", (kpiId, arguments, _) => Text(upstream.Subquery(kpiId.ToStringValue(), Names(arguments), parameters)));
        return options;
    }

    private void SetVariables(TemplateContext context, SqlParameters parameters)
    {
        FluidValue Date(string name, DateOnly day) => new ParameterValue(Periods.Format("day", day), () => parameters.Named(name, day));
        var window = new Dictionary<string, FluidValue>
        {
            ["from"] = Date("window.from", scope.Window.FromOrEarliest),
            ["to"] = Date("window.to", scope.Window.To),
        };
        context.SetValue("dimensions", FluidValue.Create(scope.Dimensions, context.Options));
        context.SetValue("filters", FluidValue.Create(scope.Filters.Select(filter => filter.Field).ToList(), context.Options));
        context.SetValue("window", new DictionaryValue(new FluidValueDictionaryFluidIndexable(window)));
        context.SetValue("business_date", Date("business_date", scope.BusinessDate));
        context.SetValue("scd_view", new ParameterValue(scope.ScdView, () => parameters.Named("scd_view", scope.ScdView)));
    }

    private string Columns(string alias) => string.Concat(scope.Dimensions.Select(name => $", {Column(alias, name)}"));

    private string JoinOn(string left, string right) =>
        string.Concat(scope.Dimensions.Select(name => $" AND {Column(left, name)} = {Column(right, name)}"));

    private string Conditions(IReadOnlyList<string> names, SqlParameters parameters, HashSet<string> written)
    {
        var chosen = scope.Filters.Where(filter => names.Count < 2 || names.Skip(1).Contains(filter.Field)).ToList();
        written.UnionWith(chosen.Select(filter => filter.Field));
        return chosen.Count == 0 ? "(1 = 1)"
            : string.Join(" AND ", chosen.Select(filter => filter.Condition(Column(names.Count > 0 ? names[0] : "", filter.Field), parameters)));
    }

    private static List<string> Names(FilterArguments arguments) =>
        [.. Enumerable.Range(0, arguments.Count).Select(index => arguments.At(index).ToStringValue())];

    private static string Column(string alias, string name) => alias.Length == 0 ? Identifier(name) : $"{Identifier(alias)}.{Identifier(name)}";

    private static string Identifier(string name) => name.Length is > 0 and < 64 && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
        ? $"\"{name}\"" : throw new ArgumentException($"`{name}` is no identifier");

    private static ValueTask<FluidValue> Text(string text) => new(new StringValue(text, false));
}
