using System.CommandLine;
using System.Globalization;
using KpiControl.Cli.Connection;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>
/// Which job: a binding's number (<c>12</c> or <c>binding/12</c>), <c>tenant/environment/job_id</c>, <c>environment/job_id</c>
/// or <c>job_id</c> within the tenant and environment in force.
/// </summary>
internal sealed record JobAddress(long BindingId, string Tenant, string Environment, string JobId)
{
    public static Argument<string> Argument() => new("JOB")
    { Description = "job_id, env/job_id, tenant/env/job_id, or the binding's number" };

    public static JobAddress Parse(string text, Target target)
    {
        var number = text.StartsWith("binding/", StringComparison.Ordinal) ? text["binding/".Length..] : text;
        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0)
            return new JobAddress(id, "", "", "");
        return text.Split('/') switch
        {
            [{ Length: > 0 } tenant, { Length: > 0 } environment, { Length: > 0 } job] => new(0, tenant, environment, job),
            [("dev" or "stg" or "prod") and var environment, { Length: > 0 } job] => new(0, TenantOf(target, job), environment, job),
            [{ Length: > 0 } job] => new(0, TenantOf(target, job), target.Environment ?? "dev", job),
            _ => throw new Refusal($"'{text}' names no job", "give job_id, env/job_id, tenant/env/job_id, or the binding's number"),
        };
    }

    public GetJobRequest Get() => new() { BindingId = BindingId, Tenant = Tenant, Environment = Environment, JobId = JobId };

    public static string NameOf(Job job) => $"{job.Tenant}/{job.Environment}/{job.JobId}";

    public override string ToString() => BindingId > 0 ? $"binding/{BindingId}" : $"{Tenant}/{Environment}/{JobId}";

    private static string TenantOf(Target target, string job) => target.Tenant
        ?? throw new Refusal($"whose job is {job}?", $"give --tenant, KPICTL_TENANT, a context with a tenant, or acme/{target.Environment ?? "dev"}/{job}");
}
