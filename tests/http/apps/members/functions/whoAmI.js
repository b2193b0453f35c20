exports = () => context.user.custom_data;
