using System.Globalization;
using KpiControl.Control.Drift;
using KpiControl.Control.Hosting;
using KpiControl.Control.Overrides;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Authoring;

/// <summary>Jobs as people read them: a binding with everything that its audit surface shows.</summary>
internal static class JobReads
{
    /// <param name="withContent">The artifact as first written.</param>
    public static async Task<Job> GetAsync(RequestTransaction tx, long bindingId, bool withContent = false)
    {
        var row = await JobStore.FindAsync(tx, bindingId);
        var job = (await CompleteAsync(tx, [row], withLadder: true))[0];
        if (withContent)
            (job.Format, job.Content) = (row.Format, row.Content);
        return job;
    }

    public static async Task<ListJobsResponse> ListAsync(RequestTransaction tx, ListJobsRequest request)
    {
        var paging = Paging.Of(request);
        if (request.Tenant.Length > 0)
            RequestFields.Tenant(tx.Caller, request.Tenant, Verb.List);
        if (request.Environment.Length > 0)
            RequestFields.Environment(request.Environment);
        var after = paging.AfterNumber() ?? 0;
        var rows = await JobStore.PageAsync(tx, ReadScope.Of(tx.Caller, Verb.List), request, after, paging.Size + 1);
        var response = new ListJobsResponse { Jobs = { await CompleteAsync(tx, [.. rows.Take(paging.Size)], withLadder: false) } };
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, rows[paging.Size - 1].BindingId.ToString(CultureInfo.InvariantCulture));
        return response;
    }

    private static async Task<IReadOnlyList<Job>> CompleteAsync(RequestTransaction tx, IReadOnlyList<JobRow> rows, bool withLadder)
    {
        var ids = rows.Select(row => row.BindingId).ToArray();
        var dependencies = (await JobStore.DependenciesAsync(tx, ids)).ToLookup(row => row.BindingId);
        var alerts = (await JobStore.AlertsAsync(tx, ids)).ToLookup(row => row.BindingId);
        var standing = (await OverrideStore.OpenAsync(tx, ids)).ToLookup(row => row.BindingId);
        var open = (await JobStore.OpenAsync(tx, ids)).ToLookup(row => row.BindingId, row => row.ToProto());
        var drift = await DriftReads.StandingAsync(tx, ids, withLadder);
        return [.. rows.Select(row =>
        {
            var job = row.ToProto();
            job.Dependencies.AddRange(dependencies[row.BindingId].Select(d => new Dependency { DepType = d.Type, DepValue = d.Value }));
            job.Alerts.AddRange(alerts[row.BindingId].Select(a => new Alert { ChannelType = a.Type, ChannelValue = a.Value, Severity = a.Severity }));
            OverrideReads.Lay(job, standing[row.BindingId]);
            job.Drift = drift.GetValueOrDefault(row.BindingId);
            job.Occurrence = open[row.BindingId].FirstOrDefault();
            job.Beside.AddRange(open[row.BindingId].Skip(1));
            return job;
        })];
    }
}
