using k8s.Models;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Namespaces;

/// <summary>Lets those whom a template allows ask for namespaces at all. Whether a request is theirs to make is decided when it is made.</summary>
internal sealed class TemplateController(ApiClient api) : IController
{
    private const string RbacGroup = "rbac.authorization.k8s.io";

    /// <inheritdoc/>
    public string Name => "template";

    /// <inheritdoc/>
    public async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken cancellationToken)
    {
        SupervisorNamespaceTemplate? template = await api.FindAsync<SupervisorNamespaceTemplate>(null, key.Name, cancellationToken);
        if (template is null || template.IsBeingRemoved)
        {
            // The binding has the template as owner: upstream's collector removes it.
            return null;
        }

        ApiResource resource = ApiResource.For<SupervisorNamespaceTemplate>();
        V1ClusterRoleBinding wanted = new()
        {
            ApiVersion = $"{RbacGroup}/v1",
            Kind = "ClusterRoleBinding",
            Metadata = new V1ObjectMeta
            {
                Name = $"vks-self-service:{key.Name}",
                OwnerReferences = [new V1OwnerReference { ApiVersion = resource.ApiVersion, Kind = resource.Kind, Name = key.Name, Uid = template.Metadata.Uid }],
            },
            RoleRef = new V1RoleRef { ApiGroup = RbacGroup, Kind = "ClusterRole", Name = "vks-self-service" },
            Subjects = [.. template.Spec.Allowed.Select(who => new Rbacv1Subject { ApiGroup = RbacGroup, Kind = who.Kind, Name = who.Name })],
        };
        await Ensure.AsAsync(api, wanted, ["subjects"], cancellationToken);
        return null;
    }
}
