namespace KpiControl.Control.Security;

/// <summary>The tenants and environments that a verb is granted in, as two arrays for SQL's unnest; <c>*</c> stands for all.</summary>
internal sealed record ReadScope(string[] Tenants, string[] Environments)
{
    public static ReadScope Of(Caller caller, Verb verb)
    {
        var granting = caller.Grants.Where(g => Role.Grants(g.Role, verb)).Select(g => (g.Tenant, g.Environment)).Distinct().ToList();
        return new ReadScope([.. granting.Select(g => g.Tenant)], [.. granting.Select(g => g.Environment)]);
    }
}
