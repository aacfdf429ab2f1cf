using KpiControl.Cli.Output;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Templates;

namespace KpiControl.Cli.Authoring;

/// <summary>What <c>kpictl init</c> asks on a terminal: whatever no option said, with what it is where nothing is answered.</summary>
internal static class InitQuestions
{
    public static string Template(Surroundings world, string otherwise)
    {
        foreach (var template in JobTemplate.All)
            world.Error.WriteLine($"  {template.Name}: {template.Description}");
        return Ask(world, "template", "", otherwise)!;
    }

    public static string Contract(Surroundings world) => Ask(world, "contract", "KPI@VERSION, as kpictl contracts list shows them", null)!;

    /// <summary>The parameters that have no value yet, then the fields that may be filtered by.</summary>
    public static void Values(Surroundings world, JobTemplate template, MetricContract contract, Dictionary<string, string> values)
    {
        foreach (var parameter in template.Parameters.Where(parameter => !values.ContainsKey(parameter.Name)))
            values[parameter.Name] = Ask(world, parameter.Name, parameter.Description, JobTemplate.DefaultOf(parameter, contract));
        foreach (var field in contract.Filters)
            if (!values.ContainsKey(JobTemplate.FilterOf(field)) && Ask(world, JobTemplate.FilterOf(field), $"Only rows of this {field.Name} ({field.DataType}); nothing for all.", "") is { Length: > 0 } value)
                values[JobTemplate.FilterOf(field)] = value;
    }

    // On standard error: the artifact itself may go to standard output.
    private static string Ask(Surroundings world, string name, string description, string? otherwise)
    {
        while (true)
        {
            world.Error.Write($"{name}{(description.Length > 0 ? $" ({description.TrimEnd('.')})" : "")}{(otherwise is { Length: > 0 } ? $" [{Talk.OneLine(otherwise)}]" : "")}: ");
            var answer = world.In.ReadLine() ?? throw new Refusal($"{name} was not answered");
            if (answer.Trim() is { Length: > 0 } said)
                return said;
            if (otherwise is not null)
                return otherwise;
        }
    }
}
